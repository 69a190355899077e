"""Tickets of partners that run pretix."""
