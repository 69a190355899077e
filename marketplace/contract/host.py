"""What the core lends a plugin."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from marketplace.contract.facts import RefundFact
from marketplace.contract.orders import Artefact
from marketplace.contract.registering import Who
from marketplace.contract.telling import News, NoticeKind
from marketplace.exchange.domain import Eligibility
from marketplace.identity.domain import Principal
from marketplace.outbound import Outbound


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A held burn of a plugin's offer: it may be ordered still, or be answered already."""

    reference: str
    """As in `Order.reference`."""
    quantity: int


class PlacedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A burn of a plugin's offer that was not rejected, as it stands now."""

    reference: str
    """As in `Order.reference`."""
    acceptor_id: UUID
    """The member that is paid for it."""
    points: int
    refunded_points: int
    """Of `points`; equal to them where all was refunded."""
    voided: bool = False
    """Whether it ended without delivery, and its points went back. Since 1.3."""
    selection: str | None = None
    """As in `Order.selection`. Since 1.3."""


class MemberName(msgspec.Struct, frozen=True, kw_only=True):
    """A member of the coalition, for people to read."""

    id: UUID
    slug: str
    name: str


class PluginOffer(msgspec.Struct, frozen=True, kw_only=True):
    """An offer that a plugin delivers."""

    reference: str
    name: str
    sku: str
    member_id: UUID
    """The member that is paid for it."""
    points: int = 0
    """What one unit costs. Since 1.2."""
    eligibility: Eligibility = Eligibility()
    """Who may have it; the exchange itself sees to it when it burns. Since 1.3."""
    limit_per_wallet: int | None = None
    """Units that one wallet may have; None is without a limit. Since 1.3."""
    is_on_sale: bool = True
    """False while it is only announced, or paused. Since 1.3."""


class NewOffer(msgspec.Struct, frozen=True, kw_only=True):
    """An offer that a plugin would deliver, to be put on sale by `Host.make_offer`."""

    reference: str
    """Unique among all offers: one line, 200 characters at most."""
    kind: str
    """Slug of a kind of reward."""
    name: str
    sku: str
    points: int
    """What one unit costs."""
    cost_micros: int
    """What the member is paid for one unit, in micros of the currency of its contract."""


class Host(Protocol):
    """The core as one plugin sees it; given to the registering hooks."""

    slug: str

    @property
    def outbound(self) -> Outbound:
        """Calls to addresses that a partner typed in; the only way a plugin may make them.

        `call(method, url, body=b"", headers=None, timeout_s=10, limit_bytes=65536)` gives an
        `Answer` (status, headers, body, truncated) and raises `AddressRefused` or `Unreachable`
        while nothing was sent, `Unanswered` after that. With `line(url, http2=False,
        identity=None)` several calls go over one connection, by a client certificate (`Identity`)
        and HTTP/2 where you ask for them; since 1.3.
        """
        ...

    def settings(self) -> Any:
        """The plugin's house settings: a struct of `PluginSettings.house`, None where it has none.

        Kept for a few seconds, so ask whenever you need them, also within a supplier's call. Never
        ask while registering: settings change while the process runs. NotConfigured where the
        operator has not given what is required.
        """
        ...

    def member_settings(self, member_id: UUID, *, sandbox: bool = False) -> Any:
        """A member's settings: a struct of `PluginSettings.member`; None where it has none, or
        where the plugin is not enabled for this member.

        With `sandbox` the second set, for trial orders (`Order.sandbox`), enabled or not; the two
        sets share nothing. NotConfigured where something required was not given.
        """
        ...

    def transaction(self) -> AbstractContextManager[Session]:
        """A transaction on the plugin's own tables: commits at the end, rolls back on raise."""
        ...

    def align_stock(
        self, session: Session, sku: str, free_units: Callable[[Sequence[OpenOrder]], int]
    ) -> int:
        """Make the stock of this plugin's offers of `sku` what it can deliver; returns how many.

        Locks the stock until the session ends, so that nothing more is held meanwhile, then asks
        `free_units` for the units left, given the orders that are held and not resolved: units
        promised to them must be taken off, and units of orders you refused too, for the void gives
        them back. Below zero counts as zero. An offer without limited stock has it from then on.
        """
        ...

    def lock_stock(self, session: Session, skus: Collection[str]) -> None:
        """Lock the stock of this plugin's offers of several skus at once, until the session ends.

        Whoever aligns more than one sku in one transaction does this first: the exchange locks
        stock in an order of its own, and would meet another one half way. An offer without limited
        stock has none until it is aligned. Since 1.2.
        """
        ...

    def subscribe(self, session: Session, principal: Principal, about: str) -> bool:
        """Note that the person of a request asked you for something, by a name of yours, and may
        be told what becomes of it (`notify`); False for API keys, which nobody can tell anything.

        For what is no order (yet), such as a place on a waiting list. Since 1.3.
        """
        ...

    def notify(self, session: Session, kind: NoticeKind, news: Sequence[News]) -> int:
        """Tell people, in this transaction, about orders of yours or what they subscribed to;
        returns how many notices were made.

        Who is told: who made the order, or the colleague it was given to; who subscribed. Nobody
        else can be reached. They hear it as they wish to hear of their rewards, or not at all; the
        same occasion once; 20 notices of yours a day at most. ValueError where the values are not
        those of the kind. Since 1.3.
        """
        ...

    def promise_price(
        self, session: Session, sku: str, selection: str, until: datetime
    ) -> Sequence[PluginOffer]:
        """Keep the price of this plugin's offers of `sku` as it is now until then, for one burn or
        several that name `selection` (see `Order.selection`); returns the offers at that price.

        A promise is kept as it was made: made again, it only lasts longer. It promises neither
        stock nor that the offer stays on sale. Since 1.2.
        """
        ...

    def promise_prices(
        self, session: Session, sku: str, selections: Sequence[str], until: datetime
    ) -> Mapping[str, Sequence[PluginOffer]]:
        """The same for many selections at once; returns the offers by selection. Since 1.3."""
        ...

    def who(self, session: Session, participant_id: UUID) -> Who | None:
        """What eligibility rules know of a participant; None where there is none. Since 1.2."""
        ...

    def manages(self, session: Session, principal: Principal, reference: str) -> bool:
        """Whether the caller manages the firm of who made one of the plugin's own orders, or whose
        pooled wallet did. Since 1.3.
        """
        ...

    def wake(
        self, session: Session, references: Sequence[str], *, acceptor_id: UUID | None = None
    ) -> int:
        """Have orders of this plugin looked up at once; returns how many are.

        For news from outside that an order has an outcome (a callback): the outcome itself still
        comes from `Supplier.lookup`. Only orders that wait for one are woken, given up ones too;
        one that a worker asks about just now is looked up again as soon as that is answered. Those
        of another acceptor than `acceptor_id`, where it is given, are left alone.
        """
        ...

    def ask_about_legs(self, session: Session, references: Sequence[str]) -> None:
        """Have your rail asked soon (`Rail.lookup`) about these legs, also long after they were
        booked.

        For news from outside: a payment came, failed or was taken back. News proves nothing; what
        became of a leg is what `lookup` answers. References that are no leg of yours do nothing.
        """
        ...

    def firm_names(
        self,
        session: Session,
        references: Collection[str] | None = None,
        *,
        member_id: UUID,
    ) -> Mapping[str, str]:
        """What firms are called, by reference, as far as a member may know: those that it looks
        after itself, and those whose people were delivered rewards of its. Without references: of
        its latest orders, a thousand firms at most. Others are left out, as what is no firm is:
        nobody learns from you who the coalition's customers are. Since 1.3.
        """
        ...

    def member_id(self, session: Session, slug: str) -> UUID:
        """The id of the member with this slug; NotFound where there is none."""
        ...

    def offer_owner(self, session: Session, sku: str) -> UUID | None:
        """The member paid for this plugin's offers of `sku`; None where no offer names it."""
        ...

    def members(self, session: Session) -> Sequence[MemberName]:
        """Every member of the coalition, by slug."""
        ...

    def placed_orders(
        self, session: Session, references: Sequence[str], *, keep: bool = False
    ) -> Mapping[str, PlacedOrder]:
        """Those of the plugin's own orders, by reference; others, and what is none, are left out.

        With `keep` none of them is refunded before the session ends: a refund that comes meanwhile
        waits for it.
        """
        ...

    def reveal(self, principal: Principal, reference: str) -> Sequence[Artefact]:
        """What one of the plugin's own orders delivered, for a page or download of yours.

        For whoever may look at the reward, by the rules of the reward's own page: who made the
        order, or the colleague it was given to, who accepts it by this. Each look is audited. In a
        transaction of its own. Raises NotFound to everybody else; AlreadyGiven, NothingToReveal
        (not captured, or refunded whole). Since 1.2.
        """
        ...

    def refund(self, reference: str, *, points: int, reason: str, key: str) -> RefundFact:
        """Give back some points of one of the plugin's own captured orders, as a refund by the
        operator would: to the lots they were drawn from, money exact to the micro.

        `key` is yours, unique for ever: the same again refunds nothing more and answers the same.
        In a transaction of its own: write down what you owe first, then call, then write down that
        it is done. Never call it in a transaction that keeps the order (`placed_orders`). Raises
        NotFound, NotRefundable (not captured, or fewer points left), InvalidRequest (no points),
        IdempotencyKeyReused (the key refunded something else). Since 1.2.
        """
        ...

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
        """Book money that one member owes another, into the settlement window that is open.

        `reference` is yours, unique for ever: the same again books nothing. It is undone, once and
        whole, by a debt of the negative amount with a reference of its own, which names it in
        `undoes`. Nothing is ever changed or deleted. Raises InvalidRequest (an amount of zero,
        one member on both sides, no currency code), NotFound (no such member, or nothing to undo),
        Conflict (the reference was booked with other terms, or the debt was undone before).
        """
        ...

    def offers(
        self,
        session: Session,
        *,
        member_id: UUID | None = None,
        sku: str | None = None,
        reference: str | None = None,
    ) -> Sequence[PluginOffer]:
        """This plugin's offers by reference, retired ones left out: of a member, of a sku, or the
        one of a reference (since 1.3).
        """
        ...

    def make_offer(
        self, member_id: UUID, new: NewOffer, *, actor: str, dry_run: bool = False
    ) -> PluginOffer:
        """Put an offer that you deliver on sale for a member whose person or key asked you to,
        which you have looked at; `actor` names them in the audit trail.

        As `POST /v1/offers` by the member itself, so points always cover the cost. Its stock is 0
        until you align it. In a transaction of its own; with `dry_run` all is checked and nothing
        is made. Raises OfferTaken, InvalidRequest, PriceNotCovered, NoContract; where
        a field is at fault, `extra["field"]` is `reference`, `sku`, `points`, `cost` or `currency`.
        Since 1.3.
        """
        ...

    def encrypt(self, text: str) -> bytes:
        """Encrypt a secret for the plugin's own tables."""
        ...

    def decrypt(self, token: bytes) -> str:
        """Decrypt what `encrypt` made, also after a key rotation."""
        ...

    def fingerprint(self, text: str) -> bytes:
        """A keyed digest, equal for equal text, to find duplicates without decrypting."""
        ...

    def audit(
        self, session: Session, *, actor: str, action: str, subject: str, **details: Any
    ) -> None:
        """Write an audit entry in `session`; `action` is prefixed with the slug."""
        ...

    def now(self, session: Session) -> datetime:
        """Business time."""
        ...
