"""`make sbom` and `make audit`: what the wheel brings with it, and what is known of that."""
