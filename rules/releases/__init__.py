"""What each release of a package does, as data with evidence; and the stack of a run."""
