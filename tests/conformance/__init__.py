"""How the packages are recorded and compared: the parts of it that need no packages."""
