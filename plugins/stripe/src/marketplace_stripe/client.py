"""The client: one per key and address, never a global one."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Final

import stripe

from marketplace.api import NotConfigured
from marketplace_stripe.asking import Http, Unclear
from marketplace_stripe.settings import House

# The package tells of every request, with who is charged; what matters is told by the rail.
logging.getLogger("stripe").setLevel(logging.WARNING)

CONNECT_S: Final = 3.0
ANSWER_S: Final = 10.0
VERSION: Final = "2026-10-28.endive"
"""Of Stripe's API, fixed: what a newer one answers has not been read by this code."""


ACCOUNT: Final = "acct_"
"""Ids of accounts begin so."""


@lru_cache(maxsize=8)
def _client(key: str, address: str) -> stripe.StripeClient:
    http = Http(timeout=(CONNECT_S, ANSWER_S))
    return stripe.StripeClient(
        key,
        base_addresses={"api": address.rstrip("/")},
        http_client=http,
        # Trying again is the house's business: it knows what was proved meanwhile.
        max_network_retries=0,
        stripe_version=VERSION,
    )


_accounts: dict[tuple[str, str], str] = {}


def account_of(house: House) -> str:
    """The platform's account that the key is of; Stripe is asked once, for that never changes.
    Raises StripeError, NotConfigured, Unclear."""
    known = (house.secret_key, house.address)
    if known not in _accounts:
        _accounts[known] = platform_of(client_of(house))
    return _accounts[known]


def platform_of(client: stripe.StripeClient) -> str:
    """The same, asked now; StripeError, or Unclear where the answer names no account."""
    found = getattr(client.v1.accounts.retrieve_current(), "id", None)
    if not isinstance(found, str) or not found.startswith(ACCOUNT):
        raise Unclear("Stripe does not say which account the key is of")
    return found


def client_of(house: House) -> stripe.StripeClient:
    """The client of these settings; NotConfigured where the key would go somewhere else."""
    if house.elsewhere:
        raise NotConfigured(f"The settings of stripe: {house.elsewhere}")
    return _client(house.secret_key, house.address)
