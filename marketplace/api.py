"""Everything a partner plugin may import: Protocols, Structs, errors and `hookimpl`.

Nothing else in `marketplace` is stable for plugins (`marketplace.testing` excepted). Arguments are
frozen Structs; points are integers, money is integer micros, times are aware UTC datetimes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable
from uuid import UUID

import click
import litestar
import msgspec
import pluggy
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.errors import (
    Conflict,
    InvalidRequest,
    MarketplaceError,
    NotAllowed,
    NotConfigured,
    NotFound,
)
from marketplace.exchange.domain import Eligibility
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.web.access import access
from marketplace.web.charts import Bars, Chart, Series, Shape
from marketplace.web.console import Console
from marketplace.web.i18n import lazy
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page

API_VERSION = "1.0"
"""Version of this contract."""

hookimpl = pluggy.HookimplMarker("marketplace")
"""Marks a plugin's hook implementations."""

SECRET: Final = msgspec.Meta(extra={"secret": True})
"""Marks a setting that is encrypted at rest and never shown again: `Annotated[str, SECRET]`."""

__all__ = [
    "API_VERSION",
    "SECRET",
    "Artefact",
    "Bars",
    "BurnFact",
    "Chart",
    "Command",
    "Conflict",
    "Console",
    "Eligibility",
    "EligibilityRule",
    "Fulfilled",
    "Health",
    "Host",
    "Html",
    "InvalidRequest",
    "IssueFact",
    "MarketplaceError",
    "MemberHealth",
    "NavEntry",
    "NeverOrdered",
    "NotAllowed",
    "NotConfigured",
    "NotFound",
    "OfferDescriber",
    "OfferFace",
    "OfferPicture",
    "OpenOrder",
    "Order",
    "Outcome",
    "Page",
    "Pages",
    "Pending",
    "PeriodicTask",
    "PluginOffer",
    "PluginSettings",
    "PluginTables",
    "Principal",
    "RefundFact",
    "Rejected",
    "Retry",
    "RewardKind",
    "Role",
    "Routes",
    "Scope",
    "Series",
    "Shape",
    "Supplier",
    "Unknown",
    "Who",
    "access",
    "hookimpl",
    "lazy",
    "plugin_metadata",
]


# -- what a supplier is asked and answers ----------------------------------------------------------


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One burn to deliver. `reference` is ours, stable over every try: your idempotency key."""

    reference: str
    """The burn's id; the same for every attempt and look-up."""
    offer_reference: str
    sku: str
    """Your own name for the thing."""
    quantity: int
    points: int
    """Points of the whole burn."""
    cost_micros: int
    """What you are paid for the whole burn, in micros of `currency`."""
    currency: str
    """ISO 4217."""
    attempt: int
    """1 for the first try."""
    acceptor_id: UUID
    """The member that is paid: its settings apply (`Host.member_settings`)."""
    sandbox: bool = False
    """A trial order: nobody pays for it, and it must deliver nothing of value. Sent only to a
    supplier with an attribute `takes_trials = True`; use the member's sandbox settings:
    `host.member_settings(order.acceptor_id, sandbox=order.sandbox)`."""


class Artefact(msgspec.Struct, frozen=True, kw_only=True):
    """What the participant gets. `secret` is encrypted at rest and every reveal is audited."""

    kind: str
    """`code`, `ticket`, `link` or `receipt`."""
    label: str
    """Shown in clear, e.g. the name of the certificate."""
    secret: str
    expires_at: datetime | None = None


class Fulfilled(msgspec.Struct, frozen=True, kw_only=True, tag="fulfilled"):
    """Delivered: the points are captured. One artefact per unit, or none."""

    reference: str
    supplier_reference: str
    """Your id of the order."""
    artefacts: tuple[Artefact, ...] = ()


class Pending(msgspec.Struct, frozen=True, kw_only=True, tag="pending"):
    """Accepted, not delivered yet: we ask `lookup` again after `after_s` seconds."""

    reference: str
    after_s: int = 60


class Rejected(msgspec.Struct, frozen=True, kw_only=True, tag="rejected"):
    """Refused for good, and nothing was delivered: the burn is voided, the points go back."""

    reference: str
    reason: str
    """Words the participant may read."""


class Retry(msgspec.Struct, frozen=True, kw_only=True, tag="retry"):
    """Certainly not taken, but worth another try after `after_s` seconds."""

    reference: str
    reason: str
    after_s: int = 30


class Unknown(msgspec.Struct, frozen=True, kw_only=True, tag="unknown"):
    """You cannot tell. Points stay held and we ask `lookup`; nothing is voided or ordered again."""

    reference: str
    reason: str
    after_s: int = 30


class NeverOrdered(msgspec.Struct, frozen=True, kw_only=True, tag="never_ordered"):
    """Answer of `lookup` only: proof that no such order exists, so it may be ordered (again)."""

    reference: str


Outcome: TypeAlias = Fulfilled | Pending | Rejected | Retry | Unknown | NeverOrdered


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the supplier is doing, for the health page."""

    ok: bool
    message: str = ""


@runtime_checkable
class Supplier(Protocol):
    """Delivers rewards. Called in a worker, outside any transaction, under a time limit."""

    slug: str
    """The plugin's slug; offers name it in `plugin`."""

    def fulfil(self, orders: Sequence[Order]) -> Sequence[Outcome]:
        """Deliver up to 200 orders; one outcome per order, in any order.

        Must be idempotent by `Order.reference`: a second call with a reference already delivered
        answers the same `Fulfilled`. An order left unanswered, or a raise, counts as unknown.
        """
        ...

    def lookup(self, orders: Sequence[Order]) -> Sequence[Outcome]:
        """Say what became of orders you may have seen; never delivers anything new."""
        ...

    def health(self) -> Health:
        """A quick check, a second at most."""
        ...


@runtime_checkable
class MemberHealth(Protocol):
    """A supplier that can also tell how it is doing for one member; write it beside `health`."""

    def member_health(self, member_id: UUID, *, sandbox: bool) -> Health:
        """Whether this member's settings work: asked before the plugin is enabled for it.

        `Host.member_settings` answers what is being tried, in the thread of this call. A second at
        most; nothing is ordered.
        """
        ...


# -- what a plugin registers ----------------------------------------------------------------------


class RewardKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of reward that offers may have."""

    slug: str
    """As in `Offer.kind`: lower case, digits and dashes."""
    name: str
    description: str


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """The participant a rule decides about."""

    wallet_id: UUID
    participant_id: UUID | None
    """None for a firm's pooled wallet."""
    role: str | None
    firm_reference: str
    country: str


@runtime_checkable
class EligibilityRule(Protocol):
    """Decides who may have an offer that names it in its eligibility `rules`."""

    name: str
    """Unique; begins with the plugin's slug, e.g. `acme.trained`."""

    def refusal(self, who: Who, offer_reference: str) -> str | None:
        """None to allow, or words that say why not and what would help.

        Runs inside the burn engine for every burn of such an offer: pure, no I/O, microseconds.
        A raise refuses the burn.
        """
        ...


class OfferPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that shows an offer."""

    address: str
    """A path of this marketplace: pages load nothing from another host."""
    width: int
    """In pixels, with `height` for the proportions."""
    height: int
    srcset: str = ""
    """The same in other widths, as in the HTML attribute; may be empty."""


class OfferFace(msgspec.Struct, frozen=True, kw_only=True):
    """An offer as people know it from where they chose it."""

    title: str
    language: str
    """Of the title; it may be another than was asked for."""
    value_micros: int
    """Money value of one unit, in micros of `currency`."""
    currency: str
    """ISO 4217."""
    value_from: str
    """`face`: it is printed on it; `cost`: it is what the partner is paid."""
    picture: OfferPicture | None = None
    path: str | None = None
    """The page that describes it, of this marketplace; None where people cannot see it now."""


@runtime_checkable
class OfferDescriber(Protocol):
    """Knows offers by title, picture and value. Called in a thread, outside any transaction."""

    def describe(self, offer_ids: Sequence[UUID], language: str) -> Mapping[UUID, OfferFace]:
        """The faces of those offers that it knows, in `language` (`pl`) where it can.

        Asked once per page, for a hundred offers at most, and given two seconds. After a raise,
        or two late answers in a row, it is not asked for a minute: offers then go by their own
        names.
        """
        ...


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command line command, `marketplace <group> <name>`."""

    group: str
    """An existing group (`ledger`, `import` ...) or the plugin's slug."""
    command: click.Command


class PeriodicTask(msgspec.Struct, frozen=True, kw_only=True):
    """Work that beat starts every `every_s` seconds on the plugin's own queue."""

    name: str
    every_s: int
    run: Callable[[], None]
    """Must be safe to run twice at once."""


class PluginSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin is told by its users: Structs that the command line and the console ask for.

    Fields may be `str`, `int`, `bool`, enums, `Literal` and each of these or None, constrained by
    `msgspec.Meta`, whose `title`, `description` and `examples` are shown; a docstring below a field
    is its description too. Give a default where there is one.
    """

    house: type[msgspec.Struct] | None = None
    """Given once, by the operator; read by `Host.settings`."""
    member: type[msgspec.Struct] | None = None
    """Given by each member that enables the plugin; read by `Host.member_settings`."""


class PluginTables(msgspec.Struct, frozen=True, kw_only=True):
    """Tables a plugin owns: their names begin with its slug and an underscore."""

    metadata: sa.MetaData
    migrations: Path
    """Folder of Alembic versions, a history of its own (version table `<slug>_alembic_version`)."""


def plugin_metadata() -> sa.MetaData:
    """Metadata for a plugin's tables, with the core's naming convention."""
    from marketplace.models import NAMING

    return sa.MetaData(naming_convention=NAMING)


# -- facts observers are told, after commit -------------------------------------------------------


class BurnFact(msgspec.Struct, frozen=True, kw_only=True):
    """A burn that was captured or voided."""

    burn_id: UUID
    wallet_id: UUID
    offer_id: UUID
    acceptor_id: UUID
    plugin: str
    quantity: int
    points: int
    cost_micros: int
    currency: str
    reason: str
    """Why, for a void; empty for a capture."""
    effective_at: datetime


class RefundFact(msgspec.Struct, frozen=True, kw_only=True):
    """Points of a captured burn given back."""

    refund_id: UUID
    burn_id: UUID
    wallet_id: UUID
    points: int
    reason: str
    effective_at: datetime


class IssueFact(msgspec.Struct, frozen=True, kw_only=True):
    """Points issued together in one request or file."""

    issuer_id: UUID
    issuances: int
    points: int


# -- what the core lends a plugin ------------------------------------------------------------------


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A held burn of a plugin's offer: it may be ordered still, or be answered already."""

    reference: str
    """As in `Order.reference`."""
    quantity: int


class PluginOffer(msgspec.Struct, frozen=True, kw_only=True):
    """An offer that a plugin delivers."""

    reference: str
    name: str
    sku: str
    member_id: UUID
    """The member that is paid for it."""


class Host(Protocol):
    """The core as one plugin sees it; given to the registering hooks."""

    slug: str

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

    def member_id(self, session: Session, slug: str) -> UUID:
        """The id of the member with this slug; NotFound where there is none."""
        ...

    def offer_owner(self, session: Session, sku: str) -> UUID | None:
        """The member paid for this plugin's offers of `sku`; None where no offer names it."""
        ...

    def offers(
        self, session: Session, *, member_id: UUID | None = None, sku: str | None = None
    ) -> Sequence[PluginOffer]:
        """This plugin's offers by reference, retired ones left out: of a member, of a sku."""
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


Routes: TypeAlias = Sequence[type[litestar.Controller] | litestar.handlers.HTTPRouteHandler]
"""Handlers mounted under `/v1/<slug>`; each states `access(...)`."""


class Pages(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin shows in the browser, mounted under `/<slug>`."""

    routes: Routes
    """Handlers that state `access(..., page=True)` and take `page: NamedDependency[Page]`."""
    nav: Sequence[NavEntry] = ()
    """Links in the header, below `/<slug>`; with `console`, sections of the partner console, below
    `/<slug>/partner`."""
    templates: Path | None = None
    """Folder that holds a folder named like the slug: `<slug>/x.html` extends `web/base.html`."""
    translations: Path | None = None
    """Folder of `<language>.po` files; nothing is compiled."""
