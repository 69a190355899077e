"""Kills the life of some burns at every failpoint, and has the next process go on. A program.

    python -m tests.chaos.killed URL WALLET_ID OFFER_ID KEY_ID MEMBER_ID

For each point a child burns with keys of its own, relays, and delivers from the gift fund, all in
one process, and is killed (SIGKILL) at the point. Another child then does what clients, relay and
worker do after that: the same keys again, what is due again. It then looks whether each key burnt
once, each burn got one code, each code went to one burn, and the ledger is right. No broker, no
waiting: each run takes the same way. Prints the points at which a child was killed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import tempfile
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from marketplace_giftfund.supplier import GiftFund

from marketplace.exchange.decide import BurnRequest
from marketplace.exchange.engine import BurnEngine
from marketplace.fulfilment.home import Home
from marketplace.fulfilment.relay import Relay
from marketplace.fulfilment.tasks import Work
from marketplace.host import PluginHost
from marketplace.identity.domain import Principal, Scope
from marketplace.ids import uuid7
from marketplace.ledger.verify import verify
from tests.chaos import failpoints
from tests.conftest import make_settings
from tests.settlement.killed import child

BURNS = 6
OFF = "catalog,charity,settlement,conference,giftfund,remote,sepa,vouchers"
"""Loading them all takes each child seconds; the gift fund's supplier is put in by hand."""


class Life:
    """A process that is API, relay and worker in one, on the database at `url`."""

    def __init__(
        self, url: str, wallet_id: str, offer_id: str, key_id: str, member_id: str
    ) -> None:
        self.home = Home(make_settings(url, plugins_off=OFF, relay_chunk=BURNS // 2))
        self.home.open()
        self._wallet_id, self._offer_id = UUID(wallet_id), UUID(offer_id)
        self._principal = Principal(
            credential_id=UUID(key_id),
            caller_id=UUID(member_id),
            actor=f"key:{key_id}",
            member_id=UUID(member_id),
            is_operator=True,
            scopes=frozenset({Scope.BURNS_WRITE}),
        )

    def run(self, name: str) -> list[str]:
        """Burn with the keys of this name, relay, deliver; the ids of the burns."""
        runtime = self.home.runtime
        host = PluginHost("giftfund", lambda: runtime.database, lambda: runtime.vault)
        runtime.suppliers["giftfund"] = GiftFund(host)
        burns = self.home.run(self._burn(name))
        messages: list[tuple[str, list[tuple[str, str]]]] = []
        relay = Relay(runtime, lambda plugin, pairs, _: messages.append((plugin, list(pairs))))
        while self.home.run(relay.round()):
            pass
        for plugin, pairs in messages:
            Work(self.home).fulfil(plugin, pairs)
        return burns

    async def _burn(self, name: str) -> list[str]:
        engine = BurnEngine(
            self.home.runtime.database.connect_raw,
            queue_limit=BURNS,
            batch_limit=BURNS,
            hold_for=timedelta(minutes=30),
            rules={},
        )
        await engine.start()
        answers = await asyncio.gather(
            *(engine.submit(self._request(f"{name}-{number}")) for number in range(BURNS))
        )
        await engine.stop()
        return [str(answer.held.id) for answer in answers if answer.held is not None]

    def _request(self, key: str) -> BurnRequest:
        digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
        return BurnRequest(
            uuid7(), self._principal, key, digest, self._wallet_id, self._offer_id, 1
        )


def die(given: list[str], point: str, folder: Path) -> None:
    """Burn and deliver; killed at the point."""
    failpoints.put_on(folder)
    failpoints.arm(folder, point)
    Life(*given).run(point)


def go_on(given: list[str], point: str) -> None:
    """What comes after: clients, relay and worker try again; then all must be right."""
    life = Life(*given)
    life.home.run(_let_time_pass(life))
    burns = life.run(point)
    assert len(set(burns)) == BURNS, burns
    life.home.run(_look(life, point, burns))
    life.home.close()


async def _let_time_pass(life: Life) -> None:
    """Leases, and what a broker should have, are over."""
    connection = await life.home.runtime.database.connect_raw()
    await connection.execute("update burn set due_at = clock_timestamp() where due_at is not null")
    await connection.close()


async def _look(life: Life, point: str, burns: list[str]) -> None:
    runtime = life.home.runtime
    connection = await runtime.database.connect_raw()
    rows = await connection.fetch(
        "select subject_id::text as id from idempotency_key where key like $1 || '-%'", point
    )
    assert sorted(row["id"] for row in rows) == sorted(burns)
    counts = await connection.fetchrow(
        "select (select count(*) from burn) as burns,"
        " (select count(*) from burn where status = 'captured') as captured,"
        " (select count(*) from artefact) as artefacts,"
        " (select count(distinct order_reference) from giftfund_code) as orders,"
        " (select count(order_reference) from giftfund_code) as codes"
    )
    await connection.close()
    assert len({*counts.values()}) == 1, dict(counts)
    async with runtime.database.begin() as session:
        assert await verify(session) == []


def main(given: list[str]) -> None:
    for point in failpoints.POINTS:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            ended = child(partial(die, given, point, folder))
            assert os.WIFSIGNALED(ended), f"{point} was never passed"
            assert len(failpoints.fired(folder, point)) == 1, point
        assert child(partial(go_on, given, point)) == 0, point
        print(point)


if __name__ == "__main__":
    main(sys.argv[1:])
