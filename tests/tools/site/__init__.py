"""The docs site: what mkdocs asks while it builds, and whether every link of what it built leads somewhere."""
