"""The HTTP service. Not built yet: `fp8check serve` does not exist until it is."""
