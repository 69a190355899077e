"""A stranger's first hour: the demonstration starts, burns, stops, and starts again."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from marketplace.coalition.models import Firm, Member, Participant
from marketplace.db import Database
from marketplace.demo import seed
from marketplace.demo.causes import CAMPAIGNS
from marketplace.demo.logins import KEYS, LOGINS
from marketplace.demo.plan import history, participants
from marketplace.demo.processes import free_port
from marketplace.demo.seed import Holds, prepare
from marketplace.demo.shelf import offers
from marketplace.errors import UsageError
from marketplace.exchange.models import Burn, Offer, Refund
from marketplace.identity.domain import Role, Scope
from marketplace.ledger.models import Lot
from marketplace.runtime import Runtime
from marketplace.settings import Settings
from tests.conftest import SECRET_KEY
from tests.factories import Coalition

ROOT = Path(__file__).parents[2]
PATIENCE_S = 600


@pytest.fixture
def environ(database_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a demonstration on the test's own database."""
    return {
        **os.environ,
        "MARKETPLACE_DATABASE_URL": database_url,
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
        "MARKETPLACE_VAR_DIR": str(tmp_path),
    }


@pytest.fixture
def start(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[[int], Any]]:
    """Start the demonstration on a port and wait until it has printed its address."""
    running: list[subprocess.Popen[str]] = []

    def run(port: int) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "marketplace", "demo", "--port", str(port)],
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout
        while "Ctrl-C" not in process.stdout.readline():
            assert process.poll() is None
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def check(environ: dict[str, str]) -> dict[str, Any]:
    """`marketplace demo --check`; its summary, which is all there is on standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "marketplace", "demo", "--check"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


async def counts(owner: Database) -> dict[str, int]:
    async with owner.begin() as session:
        return {
            table.__name__: (
                await session.execute(sa.select(sa.func.count()).select_from(table))
            ).scalar_one()
            for table in (Member, Firm, Participant, Offer, Lot, Burn, Refund)
        }


def curl(line: str, variables: dict[str, str]) -> httpx.Response:
    """Send what a `curl` line of the README would."""
    for name in sorted(variables, key=len, reverse=True):
        line = line.replace(f"'${name}'", variables[name]).replace(f"${name}", variables[name])
    words = shlex.split(line)
    headers, method, body = {}, None, None
    while words:
        word = words.pop(0)
        if word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = words.pop(0)
        elif word == "-X":
            method = words.pop(0)
        elif word.startswith("http"):
            url = word
    return httpx.request(method or ("POST" if body else "GET"), url, headers=headers, content=body)


def sign_in(address: str) -> None:
    for login in LOGINS:
        body = {"email": login.email, "password": login.password}
        answer = httpx.post(f"{address}/v1/session", json=body)
        assert answer.is_success, answer.text


async def test_the_demonstration_from_the_first_start_to_a_crash_and_on(
    environ: dict[str, str], owner: Database, start: Callable[[int], Any], tmp_path: Path
) -> None:
    first = check(environ)
    assert first["ok"]
    assert first["burn"]["status"] == "captured"
    assert first["ledger"]["violations"] == 0
    assert first["events"]["attended_before"] == ["Heat pumps, the basics"]
    assert len(first["finance"]["settled"]) == 3
    assert len(first["finance"]["waiting"]) == 1
    # On one day both the bank and Stripe paid creditors; the stranger's day is not green.
    assert len(first["finance"]["green"]) == first["finance"]["statements"] - 2
    made = await counts(owner)
    assert (made["Member"], made["Firm"], made["Participant"], made["Offer"]) == (12, 30, 400, 61)
    assert made["Lot"] > 3000
    assert made["Burn"] > 800
    assert made["Refund"] > 30

    # The second start keeps the data, and the README's examples work as they stand.
    port = free_port("127.0.0.1")
    running = start(port)
    variables = dict(
        shlex.split(line)[0].split("=", 1)
        for line in (tmp_path / "demo.env").read_text().splitlines()
    )
    lines = [
        line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("curl ")
    ]
    assert len(lines) == 5
    for line in lines:
        answer = curl(line, variables)
        assert answer.is_success, f"{line}: {answer.text}"
        variables["BURN"] = answer.json().get("id", variables.get("BURN", "unknown"))
        if "$BURN" in line and "reveal" not in line:
            wait_until_captured(line, variables)
    assert answer.json()["artefacts"][0]["secret"]
    sign_in(variables["ADDRESS"])

    # Killed without a chance to clean up, everything it started goes, and it starts again.
    running.send_signal(signal.SIGKILL)
    wait_until_gone(variables["ADDRESS"])
    # An upgrade of the program makes other files of its own plugins; they deliver all the same.
    async with owner.engine.begin() as connection:
        await connection.exec_driver_sql("update plugin_activation set digest = 'earlier'")
    second = check(environ)
    assert second["burn"]["id"] != first["burn"]["id"]
    assert second["finance"] == first["finance"]
    now = await counts(owner)
    assert (now["Member"], now["Lot"]) == (made["Member"], made["Lot"] + 2)


def wait_until_captured(line: str, variables: dict[str, str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while curl(line, variables).json()["status"] != "captured":
        assert time.monotonic() < deadline, "the burn is not fulfilled"
        time.sleep(0.1)


def wait_until_gone(address: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    with suppress(httpx.HTTPError):
        while httpx.get(f"{address}/health/live"):
            assert time.monotonic() < deadline, "the API outlives its parent"
            time.sleep(0.1)


async def test_it_will_not_touch_a_database_that_holds_others_data(
    settings: Settings, coalition: Coalition, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="did not make"):
        await prepare(settings, lambda _: None)


async def test_making_that_was_interrupted_is_recognised_and_begun_afresh(
    settings: Settings, runtime: Runtime
) -> None:
    assert await seed._what_is_there(runtime) is Holds.NOTHING
    await seed._mark(runtime, seed.BEGAN)
    await Coalition.make(runtime)
    assert await seed._what_is_there(runtime) is Holds.HALF
    await runtime.database.close()
    await seed._wipe(settings)
    assert await seed._what_is_there(runtime) is Holds.NOTHING


def test_the_story_is_the_one_the_issue_asks_for() -> None:
    shelf = offers()
    assert len(participants()) == 400
    collected = [each.offer for each in CAMPAIGNS]
    assert len({offer.reference for offer in [*shelf, *collected]}) == 60
    assert {offer.kind for offer in shelf} == {"gift", "voucher", "seat", "donation"}
    delivered = {"gift", "voucher"}
    assert all((offer.status == "on_sale") == (offer.kind in delivered) for offer in shelf)
    # Whatever issuer's points are drawn, they are worth more than the acceptor is paid.
    assert all(offer.cost_micros < offer.points * 7_500 for offer in [*shelf, *collected])


def test_the_same_day_gives_the_same_story() -> None:
    day = datetime(2026, 3, 1, tzinfo=UTC)
    assert list(history(participants(), offers(), day)) == list(
        history(participants(), offers(), day)
    )


def test_there_is_a_login_for_each_role_and_a_key_for_each_scope() -> None:
    assert {login.role for login in LOGINS} == set(Role)
    assert {scope for key in KEYS for scope in key.scopes} == set(Scope)
