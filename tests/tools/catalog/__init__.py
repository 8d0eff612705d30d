"""The pages of the rules, their evidence, and faults put into them."""
