"""Disputes of single lines: they freeze, and what comes of them is an adjustment."""
