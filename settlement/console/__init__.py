"""What a member sees of its own money, in the partner console and over HTTP."""
