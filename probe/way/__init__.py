"""What is put on PYTHONPATH of a watched run: copies of these files, in a folder of their own (probe/session.py)."""
