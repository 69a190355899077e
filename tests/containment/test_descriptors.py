"""A worker has no descriptor left for a while: observers hear again as soon as it has."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from marketplace import api
from marketplace.containment import keeper, starting
from marketplace.containment.keeper import Pool, Teller
from marketplace.containment.output import Listener
from marketplace.containment.probe import terms_of
from marketplace.containment.proxies import told
from marketplace.containment.starting import Template
from marketplace.settings import Settings
from tests.conftest import SECRET_KEY
from tests.containment.conftest import until
from tests.containment.hostile import install
from tests.factories import LONG_AGO

HEARS = """
@api.hookimpl
def marketplace_after_burn_fulfilled(fact):
    with open({path!r}, "a") as file:
        file.write(str(fact.burn_id) + " ")
"""
FACT = told(
    "marketplace_after_burn_fulfilled",
    api.BurnFact(
        burn_id=uuid4(),
        wallet_id=uuid4(),
        offer_id=uuid4(),
        acceptor_id=uuid4(),
        plugin="hears",
        quantity=1,
        points=10,
        cost_micros=70_000,
        currency="EUR",
        reason="",
        effective_at=LONG_AGO,
    ),
)


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """This process may open so many files more, at most."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


class House:
    """The observers of one plugin, in a process of their own."""

    def __init__(self, settings: Settings, listener: Listener, heard: Path) -> None:
        self.heard = heard
        self.notes: list[str] = []
        terms = terms_of(
            settings, "hears", database_url=settings.database_url, secret_keys=SECRET_KEY
        )
        self.pool = Pool("hears", settings, terms, listener, lambda _, what, __: self.note(what))
        self.teller = Teller(self.pool)

    def note(self, what: str) -> None:
        self.notes.append(what)

    def hears(self) -> None:
        self.teller.tell([FACT])
        until(self.heard.exists)


@pytest.fixture
def house(
    settings: Settings, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    """One whose template runs, and whose plugin has no process yet."""
    heard = tmp_path / "heard"
    install(site, "hears", more=HEARS.format(path=str(heard)))
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setattr(keeper, "START_AGAIN_S", 0.0)
    own, listener = Template(), Listener()
    monkeypatch.setattr(starting, "template", own)
    with own.kept():
        made = House(settings, listener, heard)
        made.hears()
        made.pool._idle[0][0].kill()
        heard.unlink()
        yield made
        made.pool.close()
    listener.close()


@pytest.mark.parametrize("left", [0, 2, 4, 6])
def test_observers_hear_again_once_there_are_descriptors(house: House, left: int) -> None:
    before = open_files()
    with descriptors_left(left):
        house.teller.tell([FACT])
        until(lambda: "not_started" in house.notes)
    until(lambda: open_files() <= before)
    house.hears()


def test_observers_hear_again_whatever_happened(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    call, raised = Pool.call, [MemoryError("nobody foresaw this")]

    def fails_once(self: Pool, *given: Any) -> Any:
        if raised:
            raise raised.pop()
        return call(self, *given)

    monkeypatch.setattr(Pool, "call", fails_once)
    house.teller.tell([FACT])
    house.hears()
    assert "observers of 1 facts" in caplog.text
