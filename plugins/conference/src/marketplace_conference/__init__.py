"""Seats at events: sold for points, chosen on a plan, held while people choose."""
