"""Causes, campaigns, matching and receipts. See README.md for what this room owns."""
