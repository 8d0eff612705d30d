"""`fp8check run`: real programs, watched."""
