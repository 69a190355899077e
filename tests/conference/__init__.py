"""Conferences, as people and partners meet them over HTTP."""
