"""Runs as fp8check's own plans left them, on GPUs: planned here, predicted before they run, and watched from inside."""
