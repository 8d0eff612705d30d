"""JSON Schemas of the files that fp8check writes and reads, made from the code that does."""
