"""What may be changed of a run, by subject: each move gives actions, and knows which keys and flags it takes."""
