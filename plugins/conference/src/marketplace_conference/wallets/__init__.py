"""Tickets for the wallets of phones, where the operator has the keys for it."""
