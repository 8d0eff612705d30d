"""Document -> what each tool takes from it."""
