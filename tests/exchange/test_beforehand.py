"""A plugin's page before a burn: where the plugin fails, nobody is led anywhere."""

from __future__ import annotations

import threading

import pytest

from marketplace import asides
from marketplace.contract.registering import BeforeBurn
from marketplace.exchange import beforehand
from marketplace.exchange.beforehand import Beforehand


def fails(reference: str, quantity: int) -> str | None:
    raise RuntimeError(reference)


@pytest.mark.parametrize(
    ("ask", "led_to"),
    [
        (lambda reference, quantity: f"/acme/{reference}/{quantity}", "/acme/seat/2"),
        (lambda reference, quantity: None, None),
        (lambda reference, quantity: "/wallet", None),
        (lambda reference, quantity: "https://elsewhere.example/acme/", None),
        (fails, None),
    ],
)
async def test_only_a_page_of_the_plugins_own_comes_first(
    ask: BeforeBurn, led_to: str | None
) -> None:
    known = Beforehand({"acme": ask})
    assert await known.page("acme", "seat", 2) == led_to
    assert await known.page("other", "seat", 2) is None


async def test_a_plugin_that_hangs_keeps_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beforehand, "ANSWER_S", 0.05)
    forever = threading.Event()
    known = Beforehand(
        {
            "acme": lambda reference, quantity: str(forever.wait(60)),
            "other": lambda reference, quantity: "/other/who",
        }
    )
    for _ in range(asides.MOST_AT_ONCE + 1):
        assert await known.page("acme", "seat", 1) is None
    assert await known.page("other", "seat", 1) == "/other/who"
    forever.set()
