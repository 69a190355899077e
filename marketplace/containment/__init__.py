"""Plugins kept from harming the house: a process for each, a probe at start, limits everywhere."""
