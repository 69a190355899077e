"""Stripe: debtors are charged, creditors are paid by transfers, and the balance is proved."""
