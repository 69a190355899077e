"""What a member says about itself is looked at, form only."""

from __future__ import annotations

from typing import Any

import pytest
from marketplace_stripe.accounts import Account, Charge, check_account
from marketplace_stripe.client import client_of
from marketplace_stripe.settings import House

from marketplace import api

CUSTOMER, METHOD, CONNECTED = "cus_Abcdefgh12345", "pm_1Abcdefgh12345", "acct_1Abcdefgh12345"
KEYS: dict[str, Any] = {"secret_key": "rk_test_1", "webhook_key": "whsec_12345678"}


@pytest.mark.parametrize(
    "account",
    [
        Account(connected=CONNECTED),
        Account(customer=CUSTOMER, payment_method=METHOD),
        Account(customer=CUSTOMER, charge=Charge.CARD, payment_method=METHOD, connected=CONNECTED),
        Account(customer=CUSTOMER, charge=Charge.BANK_TRANSFER, bank_country="DE"),
    ],
)
def test_these_will_do(account: Account) -> None:
    check_account(account)


@pytest.mark.parametrize(
    ("account", "words"),
    [
        (Account(), "Name a customer"),
        (Account(connected="acct_"), "no connected account"),
        (Account(connected="cus_Abcdefgh12345"), "no connected account"),
        (Account(customer="acct_1Abcdefgh12345", payment_method=METHOD), "no customer"),
        (Account(customer=CUSTOMER), "needs a payment method"),
        (Account(customer=CUSTOMER, payment_method="4242424242424242"), "no payment method"),
        (
            Account(customer=CUSTOMER, charge=Charge.BANK_TRANSFER, payment_method=METHOD),
            "has no payment method",
        ),
        (Account(customer=CUSTOMER, charge=Charge.BANK_TRANSFER, bank_country="PL"), "is one of"),
    ],
)
def test_these_will_not(account: Account, words: str) -> None:
    with pytest.raises(api.InvalidRequest, match=words):
        check_account(account)


def test_a_key_goes_to_stripe_or_to_this_machine_only() -> None:
    client_of(House(**KEYS))
    client_of(House(**KEYS, address="http://127.0.0.1:12111"))
    with pytest.raises(api.NotConfigured, match="double on this machine"):
        client_of(House(**KEYS, address="https://api.stripe.example"))
    live: dict[str, Any] = {**KEYS, "secret_key": "rk_live_1"}
    with pytest.raises(api.NotConfigured, match="live key"):
        client_of(House(**live, address="http://127.0.0.1:12111"))


def test_clients_of_two_keys_are_two() -> None:
    """No key is global: each client has its own."""
    import stripe

    first = client_of(House(**KEYS))
    second = client_of(House(**{**KEYS, "secret_key": "rk_test_2"}))
    assert first is not second
    assert stripe.api_key is None
