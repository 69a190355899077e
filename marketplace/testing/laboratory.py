"""What a plugin needs from a marketplace while it is tested: a database, a host, offers, burns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, aliased, sessionmaker

from marketplace import api
from marketplace.addresses import parse_allowed
from marketplace.coalition.models import Member
from marketplace.db import Database, open_database
from marketplace.embedded import embedded_url
from marketplace.exchange.domain import BurnStatus, FulfilmentState, OfferStatus
from marketplace.exchange.models import Burn, Offer, OfferStock
from marketplace.host import PluginHost, forget_settings
from marketplace.identity.models import AuditEntry
from marketplace.ids import uuid7
from marketplace.ledger.checks import ALL
from marketplace.ledger.models import MemberDebt
from marketplace.ledger.verify import verify
from marketplace.outbound import Outbound
from marketplace.plugins import Plugins, load, others_than
from marketplace.registry import values
from marketplace.registry.models import PluginMember, PluginSetting
from marketplace.schema import differences, upgrade_all
from marketplace.secrets import Vault
from marketplace.settings import Settings

MONEY_BETWEEN_MEMBERS = frozenset({"debts", "obligation_transfers", "positions", "windows"})
DATABASE_URL = "MARKETPLACE_TEST_DATABASE_URL"
SECRET_KEY = "0Yd1t2rJx0r3g0GmVQk8q8bT3Vw5iN0m4k1lZk2c9eE="  # noqa: S105 - tests only


def member_id(slug: str) -> UUID:
    """The id that a laboratory gives the member of this slug."""
    return uuid5(NAMESPACE_URL, f"marketplace-lab:{slug}")


class Lab:
    """A marketplace on a database of its own, for the tests of one plugin."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database: Database = open_database(settings)
        self._owner = open_database(settings, as_owner=True)
        self._vault = Vault([SECRET_KEY])
        self._loaded: dict[str, Plugins] = {}

    def host(self, slug: str) -> api.Host:
        """What the core lends the plugin `slug`."""
        return PluginHost(
            slug,
            lambda: self.database,
            lambda: self._vault,
            asked=lambda: self._plugins(slug).settings_of(slug),
            outbound=loopback_allowed,
        )

    def member(self, slug: str) -> UUID:
        """The id of a member, made where there is none; the same slug has the same id everywhere.

        `SupplierConformance` and the simulator order for the member `shop`.
        """
        made_id = member_id(slug)
        with self._session() as session:
            row = {"id": made_id, "slug": slug, "name": slug.title(), "country": "DE"}
            session.execute(insert(Member).values(row).on_conflict_do_nothing())
        return made_id

    def configure(self, plugin: str, settings: msgspec.Struct) -> None:
        """Give a plugin its house settings, as the operator does."""
        self._store(plugin, None, False, settings)

    def enable(
        self,
        plugin: str,
        member: str = "shop",
        settings: msgspec.Struct | None = None,
        *,
        sandbox: msgspec.Struct | None = None,
    ) -> UUID:
        """Enable a plugin for a member, with its settings and its sandbox settings; returns its id.

        Without it `Host.member_settings` answers None.
        """
        made_id = self.member(member)
        enabled = insert(PluginMember).values(plugin=plugin, member_id=made_id, enabled=True)
        with self._session() as session:
            session.execute(
                enabled.on_conflict_do_update(
                    index_elements=["plugin", "member_id"], set_={"enabled": True}
                )
            )
        for given, for_trials in ((settings, False), (sandbox, True)):
            if given is not None:
                self._store(plugin, made_id, for_trials, given)
        forget_settings()
        return made_id

    def disable(self, plugin: str, member: str = "shop") -> None:
        """Disable a plugin for a member; its settings are kept."""
        with self._session() as session:
            session.execute(
                sa.update(PluginMember)
                .where(PluginMember.plugin == plugin, PluginMember.member_id == member_id(member))
                .values(enabled=False)
            )
        forget_settings()

    def _store(
        self, plugin: str, member_id: UUID | None, sandbox: bool, settings: msgspec.Struct
    ) -> None:
        plain, secrets = values.pack(settings, self._vault)
        row = insert(PluginSetting).values(
            id=uuid7(),
            plugin=plugin,
            member_id=member_id,
            sandbox=sandbox,
            plain=plain,
            secrets=secrets,
            actor="lab",
        )
        with self._session() as session:
            session.execute(
                row.on_conflict_do_update(
                    index_elements=["plugin", "member_id", "sandbox"],
                    set_={"plain": plain, "secrets": secrets},
                )
            )
        forget_settings()

    def _plugins(self, slug: str) -> Plugins:
        """This one plugin, loaded to learn what settings it asks for."""
        if slug not in self._loaded:
            alone = msgspec.structs.replace(self.settings, plugins_off=",".join(others_than(slug)))
            self._loaded[slug] = load(alone, self.host)
        return self._loaded[slug]

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

    def hold(
        self, plugin: str, offer_id: UUID, *, quantity: int = 1, acceptor: str = "shop"
    ) -> str:
        """A held burn of an offer, as the burn engine leaves it; returns its order reference."""
        burn_id = uuid7()
        now = datetime.now(UTC)
        burn = Burn(
            id=burn_id,
            wallet_id=uuid7(),
            offer_id=offer_id,
            caller_id=uuid7(),
            acceptor_id=self.member(acceptor),
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

    def owed(self) -> dict[tuple[str, str, str], int]:
        """What members owe each other by `Host.owe`: micros by (debtor, creditor, currency)."""
        debtor, creditor = aliased(Member), aliased(Member)
        with self._session() as session:
            rows = session.execute(
                sa.select(
                    debtor.slug,
                    creditor.slug,
                    MemberDebt.currency,
                    sa.func.sum(MemberDebt.amount_micros),
                )
                .join(debtor, debtor.id == MemberDebt.debtor_id)
                .join(creditor, creditor.id == MemberDebt.creditor_id)
                .group_by(debtor.slug, creditor.slug, MemberDebt.currency)
            )
            return {(row[0], row[1], row[2]): int(row[3]) for row in rows}

    def money_findings(self) -> list[str]:
        """What the ledger's checks of money between members find wrong; empty: all is right."""

        async def look() -> list[str]:
            owner = Database(self._owner.url.render_as_string(False), role=None, pool_size=0)
            async with owner.begin() as session:
                checks = [check for check in ALL if check.name in MONEY_BETWEEN_MEMBERS]
                found = await verify(session, checks=checks)
            return [f"{each.check}: {each.examples[0]}" for each in found]

        return asyncio.run(look())

    def refund(self, reference: str) -> None:
        """All points of a held burn count as given back, as a capture and its refund leave it."""
        with self._session() as session:
            session.execute(
                sa.update(Burn)
                .where(Burn.id == UUID(reference))
                .values(status=BurnStatus.CAPTURED, refunded_points=Burn.points, due_at=None)
            )

    def void(self, reference: str) -> None:
        """A held burn ended without delivery, and its points went back; nobody is told."""
        with self._session() as session:
            session.execute(
                sa.update(Burn)
                .where(Burn.id == UUID(reference))
                .values(status=BurnStatus.VOIDED, due_at=None)
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


def loopback_allowed() -> Outbound:
    """Calls to the public internet, and to servers that a test starts on this machine."""
    return Outbound(parse_allowed("127.0.0.0/8,::1"))


@contextmanager
def empty_database(folder: Path = Path("var")) -> Iterator[Settings]:
    """Settings of a new, empty database, dropped when the block ends.

    On the server of MARKETPLACE_TEST_DATABASE_URL, or embedded in `folder/test`.
    """
    server = os.environ.get(DATABASE_URL) or embedded_url(folder / "test")
    name = f"lab_{uuid7().hex}"
    asyncio.run(_execute(server, f"create database {name}"))
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    try:
        yield Settings(database_url=url, secret_keys=SECRET_KEY, clock_travel=True)
    finally:
        asyncio.run(_execute(server, f"drop database {name} with (force)"))


@contextmanager
def open_lab() -> Iterator[Lab]:
    """A marketplace on a database of its own, with the tables of every installed plugin."""
    with empty_database() as settings:
        asyncio.run(upgrade_all(settings))
        made = Lab(settings)
        try:
            yield made
        finally:
            made.close()


async def _execute(server: str, statement: str) -> None:
    """Run a statement outside a transaction."""
    connection = await Database(server, role=None, pool_size=0).connect_raw()
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
