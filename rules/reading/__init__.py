"""file -> Document: every key and value knows its file, line, column, end and JSON pointer."""
