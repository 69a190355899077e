"""Outgoing webhooks: members are told of facts at an address of theirs."""
