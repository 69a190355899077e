"""SEPA: credit transfers, direct debits, and what banks answer."""
