"""A plugin's page before a burn, and its words on a reward: where it fails, pages stand without."""

from __future__ import annotations

import threading

import pytest

from marketplace import asides
from marketplace.contract.registering import BeforeBurn, RewardNote
from marketplace.exchange import beforehand
from marketplace.exchange.beforehand import Beforehand
from marketplace.exchange.reward_notes import RewardNotes
from marketplace.web.i18n import Lazy, lazy


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


def no_note(reference: str) -> Lazy | None:
    raise RuntimeError(reference)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda reference: lazy("Cancelled"), lazy("Cancelled")),
        (lambda reference: None, None),
        (lambda reference: "<b>words of no language</b>", None),
        (no_note, None),
    ],
)
async def test_a_reward_is_shown_with_what_its_plugin_says_of_it(
    ask: RewardNote, said: Lazy | None
) -> None:
    known = RewardNotes({"acme": ask})
    assert await known.of("acme", "7") == said
    assert await known.of("other", "7") is None
