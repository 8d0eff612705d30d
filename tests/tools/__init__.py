"""What `make` runs beside the tests: pages, mutants, scores, recordings, measurements. No module here is a test."""
