"""The trainers, one file each: how its file is told, its names and defaults, and what it hands to Accelerator."""
