"""The door: who is let in, also where there is no network."""
