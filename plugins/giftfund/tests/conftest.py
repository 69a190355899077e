"""A marketplace for the gift fund, and pools of codes in it."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from marketplace_giftfund import service

from marketplace.api import Host
from marketplace.testing import Lab, lab

__all__ = ["fill", "host", "lab", "sku"]


@pytest.fixture
def host(lab: Lab) -> Host:
    """What the core lends the gift fund."""
    return lab.host("giftfund")


@pytest.fixture
def sku() -> str:
    """A sku of this test's own."""
    return f"BOOK-{secrets.token_hex(6)}"


@pytest.fixture
def fill(host: Host) -> Callable[..., list[str]]:
    """`fill(sku, 5, expires_on="2031-01-31")` uploads new codes and returns them."""

    def upload(sku: str, count: int, expires_on: str = "") -> list[str]:
        codes = [secrets.token_hex(8).upper() for _ in range(count)]
        lines = [f"{code},{expires_on}" for code in codes]
        service.upload(host, sku, "\n".join(["code,expires_on", *lines]), actor="cli:test")
        return codes

    return upload
