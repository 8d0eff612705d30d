"""What a release is made of: version, changelog, archives that are the same wherever they are built."""
