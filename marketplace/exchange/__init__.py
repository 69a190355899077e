"""Offers and burns: pure decisions, the burn engine, refunds."""
