"""Measurements and the acceptance replay. Nothing in `make test` depends on a time taken here."""
