"""The double goes on where it was stopped, and stops when whoever started it is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from marketplace_stripe.client import client_of
from marketplace_stripe.double import people
from marketplace_stripe.double.server import Double
from marketplace_stripe.rehearsal import settings_of


def test_what_was_answered_is_there_after_it_was_killed(tmp_path: Path) -> None:
    keep = tmp_path / "double.json"
    with Double(keep=keep) as double:
        assert not double.found
        people.fill(double.world, 1_000)
        connected = people.connected(double.world).connected
        client = client_of(settings_of(double))
        made = client.v1.transfers.create(
            {"amount": 400, "currency": "eur", "destination": connected}
        )
    # Nothing is written when it ends.
    with Double(keep=keep) as again:
        assert again.found
        assert again.world.get("transfer", made.id)["amount"] == 400
        assert again.world.balance("eur") == 600


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "marketplace_stripe.double", "--port", "0", "--tied"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said = list(iter(process.stdout.readline, "Ready.\n"))
        assert "No money moves." in said[0]
        assert sum(line.startswith("A member's account: ") for line in said) == 2
        process.stdin.close()
        assert process.wait(20) == 0
