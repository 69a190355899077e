"""What the processes count, and how monitoring reads it."""
