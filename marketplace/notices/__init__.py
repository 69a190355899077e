"""Notices: what people are told, in the marketplace and by e-mail."""
