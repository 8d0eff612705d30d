"""What is to change in a file, and the bytes of it: everything else stays untouched."""
