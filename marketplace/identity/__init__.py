"""People, roles, sessions and API keys: who is calling and what they may do."""
