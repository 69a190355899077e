"""The groups of measurements that `python -m bench` runs: a new one is a line here."""

from __future__ import annotations

from typing import Final

import msgspec


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that are taken together: a module that takes `--json` and prints an object a row."""

    name: str
    about: str
    minutes: int
    """About how long it takes on two cores that have nothing else to do."""
    arguments: tuple[str, ...] = ()
    quick: tuple[str, ...]
    """Arguments of a smoke run: whether it works, not how fast."""
    wrk: bool = False
    """Whether it cannot do without wrk."""

    @property
    def module(self) -> str:
        return f"bench.{self.name}"


GROUPS: Final = (
    Group(
        name="burns",
        about="burns per second over HTTP against pgbench",
        minutes=4,
        quick=("--seconds", "1", "--rounds", "1", "--processes", "1", "--clients", "8"),
    ),
    Group(
        name="hot",
        about="burns on one hot offer, issuer and wallet; with many lots; memory under load",
        minutes=5,
        # Ten million lots (the default of bench.hot) take longer to make than to measure.
        arguments=("--seconds", "4", "--rounds", "3", "--lots", "1000000"),
        quick=("--seconds", "1", "--rounds", "1", "--lots", "20000", "--memory-seconds", "5"),
    ),
    Group(
        name="fulfilment",
        about="burns fulfilled by worker, broker and gift fund while more come",
        minutes=4,
        quick=("--seconds", "2", "--rounds", "6"),
        wrk=True,
    ),
    Group(
        name="issuances",
        about="import of issuances against a COPY of the same rows",
        minutes=1,
        quick=("--rows", "5000", "--rounds", "1"),
    ),
    Group(
        name="pauses",
        about="how long burns wait while points expire and burns are refunded by the thousand",
        minutes=4,
        quick=("--lots", "5000", "--refunds", "500", "--seconds", "2"),
        wrk=True,
    ),
    Group(
        name="catalog",
        about="searches of the catalog against a route returning tiny JSON",
        minutes=2,
        arguments=("--seconds", "4"),
        quick=("--seconds", "1"),
        wrk=True,
    ),
    Group(
        name="settlement",
        about="closing and netting a window; burns while windows are closed",
        minutes=4,
        quick=("--obligations", "50000", "--seconds", "2", "--runs", "1"),
    ),
    Group(
        name="seats",
        about="seats on sale to 5,000 people at once; doors; seats burnt against plain burns",
        minutes=3,
        quick=("--people", "200", "--seats", "60", "--seconds", "1", "--rounds", "1"),
        wrk=True,
    ),
    Group(
        name="trust",
        about="orders fulfilled while one plugin of five hangs",
        minutes=3,
        arguments=("--runs", "2"),
        quick=("--burns", "300", "--runs", "1"),
    ),
)
