"""The first page of the partner console: what is to be done, and how things go."""
