"""The test double of Stripe that runs beside the demonstration: no money moves.

The core knows of the plugin only how it is called: by its slug, as commands, as a program.
"""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
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
ACCOUNT: Final = "STRIPE/1HOUSE00000000001"
"""How the clearing house knows the balance of the double."""


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
        form = {} if moment is None else {"at": str(int(moment.timestamp()))}
        request = urllib.request.Request(  # noqa: S310 - our own address
            self.address + CLOCK_PATH,
            data=urlencode(form).encode(),
            headers={"Authorization": f"Bearer {KEY}"},
        )
        with urllib.request.urlopen(request, timeout=STOP_WITHIN_S):  # noqa: S310
            pass


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
