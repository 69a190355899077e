"""Issuing points by people: one by one, and files of many."""
