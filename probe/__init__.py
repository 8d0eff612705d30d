"""One real FP8 training step in a process of its own. Not built yet: the command has no --probe until it is."""
