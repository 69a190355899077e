"""What rails tell between two questions."""
