"""Gives in a process that is killed, and has the next one go on. Run as a program.

    python -m tests.charity.killed URL WALLET_ID PERSON_ID SIGN_IN_ID PARTICIPANT_ID

For each n a child gives, delivers and follows a gift that is matched, and is killed (SIGKILL)
before the n-th statement or commit that it would send through SQLAlchemy, until one comes to its
end. The next child first does what giver, relay, worker and clock do after that, the same key
again: it must have become one captured gift, receipts be numbered without gaps, the books be
right. Prints how many children were killed.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from functools import partial
from uuid import UUID

import sqlalchemy as sa

from charity import giving
from charity.checks import CHECKS
from charity.models import Gift, Receipt
from charity.supplier import GiftSupplier
from charity.tasks import follow_all
from marketplace.exchange.engine import BurnEngine
from marketplace.fulfilment.home import Home
from marketplace.fulfilment.relay import Relay
from marketplace.fulfilment.tasks import Work
from marketplace.host import PluginHost
from marketplace.identity.domain import Principal, Role
from marketplace.ledger.verify import verify
from tests.conftest import make_settings
from tests.settlement.killed import child

MOST = 200
POINTS = 30
OFF = "catalog,charity,settlement,giftfund,remote,sepa,vouchers"
"""Loading them all takes each child seconds; charity's supplier is put in by hand."""


class Life:
    """A process that is API, worker and clock in one, on the database at `url`."""

    def __init__(
        self, url: str, wallet_id: str, person_id: str, sign_in_id: str, participant_id: str
    ) -> None:
        self.home = Home(make_settings(url, plugins_off=OFF))
        self.home.open()
        runtime = self.home.runtime
        self._wallet_id = UUID(wallet_id)
        self._host = PluginHost("charity", lambda: runtime.database, lambda: runtime.vault)
        runtime.suppliers["charity"] = GiftSupplier(self._host)
        self._principal = Principal(
            credential_id=UUID(sign_in_id),
            caller_id=UUID(person_id),
            actor=f"person:{person_id}",
            roles=frozenset({Role.PARTICIPANT.value}),
            participant_id=UUID(participant_id),
        )

    def run(self, key: str) -> None:
        """Give with this key, relay, deliver, follow."""
        self.home.run(self._give(key))
        messages: list[list[tuple[str, str]]] = []
        relay = Relay(self.home.runtime, lambda plugin, pairs, _: messages.append(list(pairs)))
        while self.home.run(relay.round()):
            pass
        for pairs in messages:
            Work(self.home).fulfil("charity", pairs)
        follow_all(self._host)

    async def _give(self, key: str) -> giving.Given:
        database = self.home.runtime.database
        engine = BurnEngine(
            database.connect_raw,
            queue_limit=8,
            batch_limit=8,
            hold_for=timedelta(minutes=30),
            rules={},
        )
        await engine.start()
        try:
            wish = giving.Wish(
                campaign="wells", wallet_id=self._wallet_id, points=POINTS, key=key, locale="en"
            )
            return await giving.give(database, engine, self._principal, wish)
        finally:
            await engine.stop()

    def die_at(self, statements: int) -> None:
        """Kill this process before it sends so many statements or commits, over any engine."""
        sent = 0

        def count(*_: object) -> None:
            nonlocal sent
            sent += 1
            if sent > statements:
                os.kill(os.getpid(), signal.SIGKILL)

        database = self.home.runtime.database
        for engine in (database.engine.sync_engine, database.sync_engine):
            sa.event.listen(engine, "before_cursor_execute", count)
            sa.event.listen(engine, "commit", count)


def live(given: list[str], number: int) -> None:
    """Go on with what the one before left, then give; killed at the statement of this number."""
    life = Life(*given)
    if number:
        go_on(life, number - 1)
    life.die_at(number)
    life.run(f"tap-{number}")


def go_on(life: Life, number: int) -> None:
    """What comes after a death: all try again; then all must be right."""
    life.home.run(_let_time_pass(life))
    life.run(f"tap-{number}")
    life.home.run(_look(life, number))


async def _let_time_pass(life: Life) -> None:
    """What workers had leased is due again."""
    connection = await life.home.runtime.database.connect_raw()
    await connection.execute("update burn set due_at = clock_timestamp() where due_at is not null")
    await connection.close()


async def _look(life: Life, number: int) -> None:
    async with life.home.runtime.database.begin() as session:
        gifts = list(await session.scalars(sa.select(Gift)))
        numbers = list(await session.scalars(sa.select(Receipt.number).order_by(Receipt.number)))
    async with life.home.runtime.database.begin() as session:
        findings = await verify(session, checks=CHECKS)
    assert sorted(each.key for each in gifts) == sorted(f"tap-{n}" for n in range(number + 1))
    assert {each.status.value for each in gifts} == {"captured"}
    assert numbers == list(range(1, number + 2)), numbers
    assert findings == [], findings


def main(given: list[str]) -> None:
    for number in range(MOST):
        ended = child(partial(live, given, number))
        if ended == 0:
            print(number)
            return
        assert os.WIFSIGNALED(ended), (number, ended)
    raise AssertionError("it never came to its end")


if __name__ == "__main__":
    main(sys.argv[1:])
