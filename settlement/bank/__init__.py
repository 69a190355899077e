"""The bank: what its statements show, matched with legs; what is left is a break."""
