"""The box office in the whole marketplace."""
