"""What the command said of thousands of inputs at one commit."""
