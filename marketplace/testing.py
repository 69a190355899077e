"""The conformance kit that partner plugins run under pytest.

In your plugin's `tests/conftest.py`: `from marketplace.testing import lab` (a fixture). In a test
module, make a subclass named `Test...` of `SupplierConformance` with the fixtures it asks for; its
checks then run as your tests. `Lab` lends what your plugin needs from a marketplace: a migrated
database, a `Host`, offers, burns that are held, and a look at stock and audit trail.
"""

# ruff: noqa: S101
from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

from marketplace import api
from marketplace.coalition.models import Member
from marketplace.db import Database, open_database
from marketplace.embedded import embedded_url
from marketplace.exchange.domain import BurnStatus, FulfilmentState, OfferStatus
from marketplace.exchange.models import Burn, Offer, OfferStock
from marketplace.host import PluginHost
from marketplace.identity.models import AuditEntry
from marketplace.ids import uuid7
from marketplace.schema import differences, upgrade_all
from marketplace.secrets import Vault
from marketplace.settings import Settings

__all__ = ["Lab", "SupplierConformance", "lab"]

DATABASE_URL = "MARKETPLACE_TEST_DATABASE_URL"
SECRET_KEY = "0Yd1t2rJx0r3g0GmVQk8q8bT3Vw5iN0m4k1lZk2c9eE="  # noqa: S105 - tests only
FULL_CHUNK = 200
IN_TIME_S = 30.0
HEALTH_S = 2.0


class Lab:
    """A marketplace on a database of its own, for the tests of one plugin."""

    def __init__(self, settings: Settings) -> None:
        asyncio.run(upgrade_all(settings))
        self.settings = settings
        self.database: Database = open_database(settings)
        self._owner = open_database(settings, as_owner=True)
        self._vault = Vault([SECRET_KEY])
        self._members: dict[str, UUID] = {}

    def host(self, slug: str) -> api.Host:
        """What the core lends the plugin `slug`."""
        return PluginHost(slug, lambda: self.database, lambda: self._vault)

    def member(self, slug: str) -> UUID:
        """The id of a member, made where there is none."""
        if slug not in self._members:
            self._members[slug] = uuid7()
            with self._session() as session:
                session.add(
                    Member(id=self._members[slug], slug=slug, name=slug.title(), country="DE")
                )
        return self._members[slug]

    def offer(
        self, plugin: str, sku: str, *, acceptor: str = "shop", stock: int | None = None
    ) -> UUID:
        """An offer on sale: 1,000 points, EUR 7.00 for the acceptor; without stock: unlimited."""
        offer_id = uuid7()
        offer = Offer(
            id=offer_id,
            reference=f"{sku}-{offer_id}",
            kind="gift",
            name=sku,
            acceptor_id=self.member(acceptor),
            plugin=plugin,
            sku=sku,
            points=1_000,
            cost_micros=7_000_000,
            currency="EUR",
            status=OfferStatus.ON_SALE,
            eligibility={},
        )
        with self._session() as session:
            session.add(offer)
            if stock is not None:
                session.add(OfferStock(offer_id=offer_id, remaining=stock))
        return offer_id

    def hold(self, plugin: str, offer_id: UUID, *, quantity: int = 1) -> str:
        """A held burn of an offer, as the burn engine leaves it; returns its order reference."""
        burn_id = uuid7()
        now = datetime.now(UTC)
        burn = Burn(
            id=burn_id,
            wallet_id=uuid7(),
            offer_id=offer_id,
            caller_id=uuid7(),
            plugin=plugin,
            quantity=quantity,
            points=1_000 * quantity,
            cost_micros=7_000_000 * quantity,
            currency="EUR",
            limited=False,
            status=BurnStatus.HELD,
            fulfilment=FulfilmentState.QUEUED,
            effective_at=now,
            hold_until=now,
            due_at=now,
        )
        with self._session() as session:
            session.add(burn)
            session.execute(
                sa.update(OfferStock)
                .where(OfferStock.offer_id == offer_id)
                .values(remaining=OfferStock.remaining - quantity)
            )
        return str(burn_id)

    def stock(self, offer_id: UUID) -> int | None:
        """Units left of an offer; None where it is not limited."""
        with self._session() as session:
            return session.scalar(
                sa.select(OfferStock.remaining).where(OfferStock.offer_id == offer_id)
            )

    def audit(self, action: str, subject: str) -> list[dict[str, Any]]:
        """Details of the audit entries of an action on a subject, oldest first."""
        with self._session() as session:
            return list(
                session.scalars(
                    sa.select(AuditEntry.details)
                    .where(AuditEntry.action == action, AuditEntry.subject_id == subject)
                    .order_by(AuditEntry.id)
                )
            )

    def schema_differences(self, tables: api.PluginTables) -> list[Any]:
        """How a plugin's models and its migrations differ (empty: they agree)."""
        with self._owner.sync_engine.connect() as connection:
            return differences(connection, tables.metadata)

    def close(self) -> None:
        """Close every connection."""
        asyncio.run(self.database.close())
        asyncio.run(self._owner.close())

    def _session(self) -> AbstractContextManager[Session]:
        return sessionmaker(self._owner.sync_engine).begin()


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """One marketplace for all tests of a plugin: let each test use a sku of its own.

    On the server of MARKETPLACE_TEST_DATABASE_URL, or embedded in `var/test`.
    """
    server = os.environ.get(DATABASE_URL) or embedded_url(Path("var") / "test")
    name = f"lab_{uuid7().hex}"
    asyncio.run(_execute(server, f"create database {name}"))
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    made = Lab(Settings(database_url=url, secret_keys=SECRET_KEY, clock_travel=True))
    yield made
    made.close()
    asyncio.run(_execute(server, f"drop database {name} with (force)"))


async def _execute(server: str, statement: str) -> None:
    """Run a statement outside a transaction."""
    connection = await Database(server, role=None, pool_size=0).connect_raw()
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


class SupplierConformance:
    """What every supplier must do. Subclass it and give it three fixtures:

    `supplier`: an `api.Supplier`; `sku`: something it has at least 1,000 units of; `empty_sku`:
    something it can never deliver.
    """

    @staticmethod
    def order(sku: str, *, quantity: int = 1, attempt: int = 1) -> api.Order:
        """A new order, as a worker hands it over."""
        return api.Order(
            reference=str(uuid7()),
            offer_reference=f"offer-{sku}",
            sku=sku,
            quantity=quantity,
            points=1_000 * quantity,
            cost_micros=7_000_000 * quantity,
            currency="EUR",
            attempt=attempt,
        )

    @staticmethod
    def by_reference(
        orders: Sequence[api.Order], answers: Sequence[api.Outcome]
    ) -> dict[str, api.Outcome]:
        """Outcomes by reference; fails unless each order has exactly one."""
        found = {answer.reference: answer for answer in answers}
        assert len(answers) == len(found), "an order was answered twice"
        assert set(found) == {order.reference for order in orders}
        return found

    def test_it_is_a_supplier(self, supplier: api.Supplier) -> None:
        """It has a slug and the methods of `api.Supplier`."""
        assert isinstance(supplier, api.Supplier)
        assert supplier.slug

    def test_nothing_asked_is_nothing_answered(self, supplier: api.Supplier) -> None:
        """An empty batch is no error."""
        assert list(supplier.fulfil([])) == []
        assert list(supplier.lookup([])) == []

    def test_an_order_is_answered_the_same_for_ever(self, supplier: api.Supplier, sku: str) -> None:
        """`fulfil` is idempotent by reference, also when orders come again beside new ones."""
        orders = [self.order(sku), self.order(sku, quantity=3)]
        first = self.by_reference(orders, supplier.fulfil(orders))
        for order in orders:
            outcome = first[order.reference]
            assert isinstance(outcome, api.Fulfilled), outcome
            assert outcome.supplier_reference
            assert len(outcome.artefacts) in (0, order.quantity)
        more = [*orders, self.order(sku)]
        again = self.by_reference(more, supplier.fulfil(more))
        assert {order.reference: again[order.reference] for order in orders} == first

    def test_no_two_units_get_the_same_secret(self, supplier: api.Supplier, sku: str) -> None:
        """A code or ticket is given once."""
        orders = [self.order(sku, quantity=2) for _ in range(10)]
        outcomes = self.by_reference(orders, supplier.fulfil(orders)).values()
        secrets = [
            artefact.secret
            for outcome in outcomes
            if isinstance(outcome, api.Fulfilled)
            for artefact in outcome.artefacts
            if artefact.kind in ("code", "ticket")
        ]
        assert len(set(secrets)) == len(secrets)

    def test_a_lookup_tells_what_was_ordered_and_orders_nothing(
        self, supplier: api.Supplier, sku: str
    ) -> None:
        """`lookup` proves that an order never came, and repeats the answer to one that did."""
        order, never = self.order(sku), self.order(sku)
        before = self.by_reference([order], supplier.lookup([order]))
        assert before == {order.reference: api.NeverOrdered(reference=order.reference)}
        given = self.by_reference([order], supplier.fulfil([order]))
        after = self.by_reference([order, never], supplier.lookup([order, never]))
        assert after[order.reference] == given[order.reference]
        assert after[never.reference] == api.NeverOrdered(reference=never.reference)

    def test_what_it_cannot_deliver_is_refused_for_good(
        self, supplier: api.Supplier, sku: str, empty_sku: str
    ) -> None:
        """A refusal says why, stays, and harms no other order of the batch."""
        bad, good = self.order(empty_sku), self.order(sku)
        outcomes = self.by_reference([bad, good], supplier.fulfil([bad, good]))
        refusal = outcomes[bad.reference]
        assert isinstance(refusal, api.Rejected), refusal
        assert refusal.reason
        assert isinstance(outcomes[good.reference], api.Fulfilled)
        assert self.by_reference([bad], supplier.fulfil([bad])) == {bad.reference: refusal}
        assert isinstance(
            self.by_reference([bad], supplier.lookup([bad]))[bad.reference],
            api.Rejected | api.NeverOrdered,
        )

    def test_a_full_chunk_is_delivered_in_time(self, supplier: api.Supplier, sku: str) -> None:
        """Two hundred orders at once, within the time a worker gives (30 s)."""
        orders = [self.order(sku) for _ in range(FULL_CHUNK)]
        started = time.monotonic()
        outcomes = self.by_reference(orders, supplier.fulfil(orders))
        assert time.monotonic() - started < IN_TIME_S
        assert all(isinstance(outcome, api.Fulfilled) for outcome in outcomes.values())

    def test_the_same_orders_at_once_are_delivered_once(
        self, supplier: api.Supplier, sku: str
    ) -> None:
        """Two workers may ask at the same time, after a timeout: both get the same answer."""
        orders = [self.order(sku) for _ in range(20)]
        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(supplier.fulfil, batch) for batch in (orders, orders[::-1])]
            one, two = (self.by_reference(orders, call.result(IN_TIME_S)) for call in calls)
        assert one == two

    def test_it_tells_its_health_quickly(self, supplier: api.Supplier) -> None:
        """`health` answers within a second or two."""
        started = time.monotonic()
        assert isinstance(supplier.health(), api.Health)
        assert time.monotonic() - started < HEALTH_S
