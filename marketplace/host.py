"""The core as one plugin sees it: the implementation of `marketplace.api.Host`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from marketplace import lent_offers, lent_people, lent_stock, lent_waking
from marketplace.api import (
    Artefact,
    EligibilityRule,
    MemberName,
    NewOffer,
    News,
    NoticeKind,
    OpenOrder,
    PayoutTracer,
    PlacedOrder,
    PluginOffer,
    PluginSettings,
    Principal,
    RefundFact,
    Who,
)
from marketplace.clock import NOW
from marketplace.db import LOCK_S, Database
from marketplace.exchange import promises
from marketplace.exchange.domain import BurnStatus
from marketplace.exchange.models import Burn, Offer
from marketplace.identity.models import AuditEntry
from marketplace.ids import next_key
from marketplace.ledger import debts
from marketplace.notices import of_plugins
from marketplace.outbound import Outbound
from marketplace.rails import news
from marketplace.registry import values
from marketplace.registry.models import PluginMember, PluginSetting
from marketplace.secrets import Vault

T = TypeVar("T")

GRACE_DAYS = 30
"""As in the settings, where nobody says otherwise."""
KEPT_S = 3.0
"""How long settings are kept before the database is asked again."""
TRIED: ContextVar[UUID | None] = ContextVar("TRIED", default=None)
"""The member whose settings are tried in this call, though it may not have enabled the plugin."""


_changes = 0


def forget_settings() -> None:
    """Let every host of this process ask the database again: settings were changed here."""
    global _changes
    _changes += 1


class _Kept(msgspec.Struct, frozen=True):
    """Settings as they were loaded."""

    settings: Any
    until: float
    changes: int


class PluginHost:
    """What the core lends the plugin `slug`; database and vault are opened at first use."""

    def __init__(
        self,
        slug: str,
        database: Callable[[], Database],
        vault: Callable[[], Vault],
        rules: Callable[[], dict[str, EligibilityRule]] = dict,
        asked: Callable[[], PluginSettings] = PluginSettings,
        *,
        outbound: Callable[[], Outbound] = Outbound,
        tell: Callable[[Sequence[tuple[str, Any]]], None] = lambda _: None,
        rails: Callable[[], Mapping[str, Any]] = dict,
        payout_tracers: Callable[[], Mapping[str, Sequence[PayoutTracer]]] = dict,
        grace_days: int = GRACE_DAYS,
    ) -> None:
        self.slug = slug
        self.tell = tell
        """Tells observers (hook, fact), after commit; for our own rooms."""
        self._database = database
        self._vault = vault
        self._rules = rules
        self._asked = asked
        self._outbound = outbound
        self._rails = rails
        self._payout_tracers = payout_tracers
        self._grace = timedelta(days=grace_days)
        self._kept: dict[tuple[UUID | None, bool], _Kept] = {}

    @property
    def outbound(self) -> Outbound:
        """See `marketplace.api.Host.outbound`."""
        return self._outbound()

    def transact(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Run `work` in an asynchronous transaction of its own, on a loop of its own.

        For the periodic tasks of our own rooms, which share their services with the API.
        """

        async def inside(database: Database) -> T:
            async with database.begin() as session:
                return await work(session)

        return self.run(inside)

    def run(self, work: Callable[[Database], Awaitable[T]], *, lock_s: float | None = None) -> T:
        """Run `work`, which makes its own transactions, on a loop and a database of its own.

        `lock_s`: how long it waits for a lock; None: as long as it takes.
        """
        lent = self._database()
        url = lent.url.render_as_string(hide_password=False)

        async def inside() -> T:
            database = Database(url, role=lent.role, pool_size=0, lock_s=lock_s)
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(inside())

    @property
    def rails(self) -> Mapping[str, Any]:
        """The rails of every plugin by slug, where the host's runtime knows them."""
        return self._rails()

    @property
    def payout_tracers(self) -> Mapping[str, Sequence[PayoutTracer]]:
        """What knows of failed payments by slug, where the host's runtime knows them."""
        return self._payout_tracers()

    @property
    def eligibility_rules(self) -> dict[str, EligibilityRule]:
        """The rules of every plugin, where the host's runtime knows them."""
        return self._rules()

    def settings(self) -> Any:
        """See `marketplace.api.Host.settings`."""
        return self._fresh(None, False)

    def member_settings(self, member_id: UUID, *, sandbox: bool = False) -> Any:
        """See `marketplace.api.Host.member_settings`."""
        if TRIED.get() == member_id:
            return self._load(member_id, sandbox, enabled_or_not=True)
        return self._fresh(member_id, sandbox)

    def _fresh(self, member_id: UUID | None, sandbox: bool) -> Any:
        """What was loaded in the last few seconds, or is loaded now."""
        kept = self._kept.get((member_id, sandbox))
        if kept is not None and kept.changes == _changes and time.monotonic() < kept.until:
            return kept.settings
        changes = _changes
        found = self._load(member_id, sandbox)
        self._kept[member_id, sandbox] = _Kept(found, time.monotonic() + KEPT_S, changes)
        return found

    def _load(self, member_id: UUID | None, sandbox: bool, *, enabled_or_not: bool = False) -> Any:
        asked = self._asked()
        struct = asked.house if member_id is None else asked.member
        if struct is None:
            return None
        with Session(self._database().sync_engine) as session:
            if not (member_id is None or sandbox or enabled_or_not) and not session.scalar(
                sa.select(PluginMember.enabled).where(
                    PluginMember.plugin == self.slug, PluginMember.member_id == member_id
                )
            ):
                return None
            row = session.execute(
                sa.select(PluginSetting.plain, PluginSetting.secrets).where(
                    PluginSetting.plugin == self.slug,
                    PluginSetting.member_id.is_not_distinct_from(member_id),
                    PluginSetting.sandbox == sandbox,
                )
            ).first()
        given = values.unpack(row.plain, row.secrets, self._vault()) if row else {}
        whose = "house" if member_id is None else f"member {member_id}"
        kind = "Sandbox settings" if sandbox else "Settings"
        return values.build(struct, given, f"{kind} of {self.slug} ({whose})")

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """See `marketplace.api.Host.transaction`."""
        with Session(self._database().sync_engine) as session, session.begin():
            yield session

    def align_stock(
        self, session: Session, sku: str, free_units: Callable[[Sequence[OpenOrder]], int]
    ) -> int:
        """See `marketplace.api.Host.align_stock`."""
        return lent_stock.align(session, self.slug, sku, free_units)

    def lock_stock(self, session: Session, skus: Collection[str]) -> None:
        """See `marketplace.api.Host.lock_stock`."""
        lent_stock.lock(session, self.slug, skus)

    def subscribe(self, session: Session, principal: Principal, about: str) -> bool:
        """See `marketplace.api.Host.subscribe`."""
        return of_plugins.subscribe(session, self.slug, principal, about)

    def notify(self, session: Session, kind: NoticeKind, news: Sequence[News]) -> int:
        """See `marketplace.api.Host.notify`."""
        return of_plugins.tell(session, self.slug, kind, news)

    def promise_price(
        self, session: Session, sku: str, selection: str, until: datetime
    ) -> Sequence[PluginOffer]:
        """See `marketplace.api.Host.promise_price`."""
        return self.promise_prices(session, sku, [selection], until).get(selection, [])

    def promise_prices(
        self, session: Session, sku: str, selections: Sequence[str], until: datetime
    ) -> Mapping[str, Sequence[PluginOffer]]:
        """See `marketplace.api.Host.promise_prices`."""
        return promises.promise(session, self.slug, sku, selections, until)

    def who(self, session: Session, participant_id: UUID) -> Who | None:
        """See `marketplace.api.Host.who`."""
        return lent_people.who(session, participant_id)

    def manages(self, session: Session, principal: Principal, reference: str) -> bool:
        """See `marketplace.api.Host.manages`."""
        return lent_people.manages(session, self.slug, principal, reference)

    def wake(
        self, session: Session, references: Sequence[str], *, acceptor_id: UUID | None = None
    ) -> int:
        """See `marketplace.api.Host.wake`."""
        return lent_waking.wake(session, self.slug, _burn_ids(references), acceptor_id=acceptor_id)

    def ask_about_legs(self, session: Session, references: Sequence[str]) -> None:
        """See `marketplace.api.Host.ask_about_legs`."""
        news.tell(session, self.slug, references)

    def firm_names(
        self,
        session: Session,
        references: Collection[str] | None = None,
        *,
        member_id: UUID,
    ) -> Mapping[str, str]:
        """See `marketplace.api.Host.firm_names`."""
        return lent_people.firm_names(session, references, member_id)

    def member_id(self, session: Session, slug: str) -> UUID:
        """See `marketplace.api.Host.member_id`."""
        return lent_people.member_id(session, slug)

    def offer_owner(self, session: Session, sku: str) -> UUID | None:
        """See `marketplace.api.Host.offer_owner`."""
        return session.scalar(
            sa.select(Offer.acceptor_id).where(Offer.plugin == self.slug, Offer.sku == sku).limit(1)
        )

    def members(self, session: Session) -> Sequence[MemberName]:
        """See `marketplace.api.Host.members`."""
        return lent_people.members(session)

    def placed_orders(
        self, session: Session, references: Sequence[str], *, keep: bool = False
    ) -> Mapping[str, PlacedOrder]:
        """See `marketplace.api.Host.placed_orders`."""
        asked = sa.select(
            Burn.id,
            Burn.acceptor_id,
            Burn.points,
            Burn.refunded_points,
            Burn.status,
            Burn.selection,
        ).where(
            Burn.id.in_(_burn_ids(references)),
            Burn.plugin == self.slug,
            Burn.status != BurnStatus.REJECTED,
        )
        if keep:
            asked = asked.order_by(Burn.id).with_for_update(read=True)
        return {
            str(row.id): PlacedOrder(
                reference=str(row.id),
                acceptor_id=row.acceptor_id,
                points=row.points,
                refunded_points=row.refunded_points,
                voided=row.status is BurnStatus.VOIDED,
                selection=row.selection,
            )
            for row in session.execute(asked)
        }

    def reveal(self, principal: Principal, reference: str) -> Sequence[Artefact]:
        """See `marketplace.api.Host.reveal`."""
        from marketplace import lent_orders  # services that most plugins' processes never need

        vault = self._vault()
        return self.run(
            lambda database: lent_orders.reveal_order(
                database, vault, self.slug, principal, reference
            ),
            lock_s=LOCK_S,
        )

    def refund(self, reference: str, *, points: int, reason: str, key: str) -> RefundFact:
        """See `marketplace.api.Host.refund`."""
        from marketplace import lent_orders  # see reveal

        made, replayed = self.run(
            lambda database: lent_orders.refund_order(
                database,
                self.slug,
                reference,
                points=points,
                reason=reason,
                key=key,
                grace=self._grace,
            ),
            lock_s=LOCK_S,
        )
        if not replayed:
            self.tell([("marketplace_after_burn_refunded", made)])
        return made

    def owe(
        self,
        session: Session,
        *,
        debtor_id: UUID,
        creditor_id: UUID,
        amount_micros: int,
        currency: str,
        reference: str,
        reason: str,
        undoes: str | None = None,
    ) -> None:
        """See `marketplace.api.Host.owe`."""
        debts.owe(
            session,
            debts.Debt(
                plugin=self.slug,
                reference=reference,
                debtor_id=debtor_id,
                creditor_id=creditor_id,
                amount_micros=amount_micros,
                currency=currency,
                reason=reason,
                undoes=undoes,
            ),
        )

    def offers(
        self,
        session: Session,
        *,
        member_id: UUID | None = None,
        sku: str | None = None,
        reference: str | None = None,
    ) -> Sequence[PluginOffer]:
        """See `marketplace.api.Host.offers`."""
        return lent_offers.offers(
            session, self.slug, member_id=member_id, sku=sku, reference=reference
        )

    def make_offer(
        self, member_id: UUID, new: NewOffer, *, actor: str, dry_run: bool = False
    ) -> PluginOffer:
        """See `marketplace.api.Host.make_offer`."""
        return self.run(
            lambda database: lent_offers.make(
                database, self.slug, member_id, new, actor=actor, dry_run=dry_run
            )
        )

    def encrypt(self, text: str) -> bytes:
        """See `marketplace.api.Host.encrypt`."""
        return self._vault().encrypt(text)

    def decrypt(self, token: bytes) -> str:
        """See `marketplace.api.Host.decrypt`."""
        return self._vault().decrypt(token)

    def fingerprint(self, text: str) -> bytes:
        """See `marketplace.api.Host.fingerprint`."""
        return self._vault().fingerprint(f"{self.slug}:{text}")

    def audit(
        self, session: Session, *, actor: str, action: str, subject: str, **details: Any
    ) -> None:
        """See `marketplace.api.Host.audit`."""
        session.add(
            AuditEntry(
                id=next_key(),
                actor=actor,
                action=f"{self.slug}.{action}",
                subject_kind=self.slug,
                subject_id=subject,
                details=details,
            )
        )

    def now(self, session: Session) -> datetime:
        """See `marketplace.api.Host.now`."""
        return session.execute(sa.select(NOW)).scalar_one()


def _burn_ids(references: Sequence[str]) -> list[UUID]:
    """The references that can be a burn's id."""
    found = []
    for each in references:
        with suppress(ValueError):
            found.append(UUID(each))
    return found
