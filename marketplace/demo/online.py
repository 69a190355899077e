"""The test double of Stripe that runs beside the demonstration: no money moves.

The core knows of the plugin only how it is called: by its slug, as commands, as a program.
"""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import msgspec

from marketplace.demo.processes import free_port
from marketplace.errors import UsageError
from marketplace.settings import Settings

SLUG: Final = "stripe"
LABEL: Final = "Test double of Stripe: no money moves"
"""In words on everything that shows it."""
KEY: Final = "rk_test_demonstration"
WEBHOOK_KEY: Final = "whsec_demonstration"
HOST: Final = "127.0.0.1"
STOP_WITHIN_S: Final = 5
CLOCK_PATH: Final = "/double/clock"
HOUSE_PATH: Final = "/double/house"
ACCOUNT: Final = "STRIPE/1HOUSE00000000001"
"""How the clearing house knows the balance of the double."""


class Payout(msgspec.Struct, frozen=True):
    """Money that Stripe sends to the bank; moments in seconds since 1970."""

    id: str
    amount: int
    status: str
    created: int
    arrival_date: int

    @property
    def arrives(self) -> datetime:
        return datetime.fromtimestamp(self.arrival_date, UTC)


class Balance(msgspec.Struct, frozen=True):
    """The house's balance there."""

    balance: int
    """In smallest units."""
    days: list[date]
    """On which it moved."""
    payouts: list[Payout]


class Double(msgspec.Struct, frozen=True):
    """The double, running."""

    settings: dict[str, str]
    """Of the plugin, to reach it."""
    members: list[dict[str, str]]
    """Accounts of members there: a card to charge, a connected account to pay to."""

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.settings["address"]

    def set_clock(self, moment: datetime | None) -> None:
        """What it books from now on is booked then; None: in real time."""
        self._post(CLOCK_PATH, {} if moment is None else {"at": str(int(moment.timestamp()))})

    def house(self, do: str | None = None, **more: str | int) -> Balance:
        """What Stripe does by itself to the house's balance: `fee`, `hold`, `release`, `payout`,
        `arrive`; without one, how it stands."""
        form = more if do is None else {"do": do, **more}
        return msgspec.json.decode(self._post(HOUSE_PATH, form), type=Balance)

    def _post(self, path: str, form: Mapping[str, str | int]) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - our own address
            self.address + path,
            data=urlencode(form).encode(),
            headers={"Authorization": f"Bearer {KEY}"},
        )
        with urllib.request.urlopen(request, timeout=STOP_WITHIN_S) as answer:  # noqa: S310
            content: bytes = answer.read()
        return content


@contextmanager
def running(
    settings: Settings, port: int | None = None, *, fresh: bool = False
) -> Iterator[Double]:
    """The double as our child, which ends when we do; its state is kept beside the data.

    `fresh`: what an earlier run kept is forgotten.
    """
    keep = folder(settings) / "double.json"
    if fresh:
        keep.unlink(missing_ok=True)
    words = ("--port", str(port or free_port(HOST)), "--keep", str(keep))
    process = subprocess.Popen(  # noqa: S603 - our own program
        [
            *(sys.executable, "-m", "marketplace_stripe.double"),
            *(*words, "--key", KEY, "--webhook-key", WEBHOOK_KEY, "--complete", "--tied"),
        ],
        stdin=subprocess.PIPE,  # closes when we end, however we end; then it stops
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C reaches us alone.
        start_new_session=True,
    )
    try:
        yield _read(process)
    finally:
        _stop(process)


def folder(settings: Settings) -> Path:
    """What the double keeps, and the statements of its balance."""
    return settings.var_dir / SLUG


def _read(process: subprocess.Popen[str]) -> Double:
    """What it says of itself."""
    told: dict[str, list[dict[str, str]]] = {"Settings": [], "A member's account": []}
    for line in process.stdout or ():
        name, _, value = line.partition(": ")
        if name in told:
            told[name].append(msgspec.json.decode(value))
        if line.startswith("Ready"):
            return Double(told["Settings"][0], told["A member's account"])
    raise UsageError("The demonstration's double of Stripe did not start.")


def _stop(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
