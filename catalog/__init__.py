"""Listings: how the catalog shows an offer. See README.md for what this room owns."""
