"""What a plugin registers, besides suppliers and notifiers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable
from uuid import UUID

import click
import litestar
import msgspec
import sqlalchemy as sa

from marketplace.web.i18n import Lazy
from marketplace.web.nav import NavEntry


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


Words: TypeAlias = str | Mapping[str, str]
"""Words in one language, or in several by language code (`{"en": ..., "pl": ...}`): a reader gets
their own language, else English, else the first. What is stored and logged is English or the first.
"""


@runtime_checkable
class EligibilityRule(Protocol):
    """Decides who may have an offer that names it in its eligibility `rules`."""

    name: str
    """Unique; begins with the plugin's slug, e.g. `acme.trained`."""

    def refusal(self, who: Who, offer_reference: str) -> Words | None:
        """None to allow, or words that say why not and what would help.

        Runs inside the burn engine for every burn of such an offer: pure, no I/O, microseconds.
        The language of who will read the words is not known there: give a mapping made beforehand.
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
    value_micros: int | None
    """Money value of one unit, in micros of `currency`; None where nobody has stated one. It is
    never what the partner is paid, for participants read it."""
    currency: str
    """ISO 4217."""
    value_from: str | None
    """`face`: it is stated, as on a certificate; `points`: it is what the points of one unit are
    worth at the coalition's published price; None with no value."""
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


Routes: TypeAlias = Sequence[type[litestar.Controller] | litestar.handlers.HTTPRouteHandler]
"""Handlers mounted under `/v1/<slug>`; each states `access(...)`."""


RewardNote: TypeAlias = Callable[[str], Lazy | None]
"""See `Pages.reward_note`: (reference of the order) -> words, or None."""
BeforeBurn: TypeAlias = Callable[[str, int], str | None]
"""(reference of an offer of yours, quantity) -> path of a page of yours, or None."""


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
    """Folder of `<language>.po` files; nothing is compiled. Where it is the folder `locale` of your
    package, what you give as reasons is translated in mails and notices too."""
    reward: NavEntry | None = None
    """Link from the page of a delivered reward of yours, below `/<slug>`: `{order}` in its path is
    the order's reference. Shown once the reward has been looked at. Since 1.2."""
    reward_note: RewardNote | None = None
    """What the page of a delivered reward of yours says first, where it does not stand as it was
    delivered: that it was cancelled, moved, is worth less. Asked with the order's reference in a
    thread whenever that page is shown, given two seconds; where it raises or is late, nothing is
    said. Since 1.3."""
    expiring: NavEntry | None = None
    """Link beside the points in a participant's wallet that expire, below `/<slug>`: what else can
    be done with them. Since 1.3."""
    before_burn: BeforeBurn | None = None
    """Where people are led who are about to burn for an offer of yours with no selection, as to say
    who comes: a page of yours, below `/<slug>`, that leads on to
    `/burn/<offer>?quantity=...&selection=...`; None where they may burn at once. Asked in a thread
    whenever that page is shown, given two seconds; where it raises or is late, nobody is led
    anywhere. Who burns over HTTP is not led: your supplier sees to it. Since 1.3."""
