"""The demonstration coalition: believable data, and one command that runs everything on it."""
