"""`make image` and `make soak`: the images, built and tried without a daemon."""
