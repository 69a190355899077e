"""Joins charity to the core through the same hooks a partner uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast
from uuid import UUID

import msgspec

from charity import campaign_commands, following, staff_routes
from charity.checks import CHECKS
from charity.commands import COMMANDS
from charity.describing import CampaignDescriber
from charity.firm_pages import PAGES as OF_FIRMS
from charity.journal import NOTES
from charity.models import CharityBase
from charity.pages import PAGES
from charity.promise_routes import ROUTES as PROMISES
from charity.rescue_pages import HERE
from charity.rescue_pages import PAGES as EXPIRING
from charity.routes import ROUTES
from charity.supplier import GiftSupplier
from charity.tasks import make_tasks
from marketplace import api
from marketplace.host import PluginHost
from marketplace.web.i18n import lazy


@api.hookimpl
def marketplace_register_tables() -> api.PluginTables:
    """Charities, campaigns, matches, gifts, schedules, receipts."""
    return api.PluginTables(
        metadata=CharityBase.metadata, migrations=Path(__file__).parent / "migrations"
    )


@api.hookimpl
def marketplace_register_suppliers(host: api.Host) -> Sequence[api.Supplier]:
    """Gifts."""
    return [GiftSupplier(host)]


@api.hookimpl
def marketplace_register_offer_describers(host: api.Host) -> Sequence[api.OfferDescriber]:
    """Gifts are called by what they were given to, on all pages."""
    return [CampaignDescriber(host)]


@api.hookimpl
def marketplace_register_tasks(host: api.Host) -> Sequence[api.PeriodicTask]:
    """What charity does by the clock."""
    return make_tasks(cast(PluginHost, host))


@api.hookimpl
def marketplace_register_routes() -> api.Routes:
    """Causes, gifts, receipts and monthly gifts under /v1/charity."""
    return [*ROUTES, *PROMISES, *staff_routes.ROUTES]


@api.hookimpl
def marketplace_register_pages(host: api.Host) -> api.Pages:
    """Causes, giving, gifts, receipts under /charity."""
    return msgspec.structs.replace(
        PAGES,
        routes=[*PAGES.routes, *EXPIRING, *OF_FIRMS],
        expiring=api.NavEntry(
            key="expiring", label=lazy("Have them given before they expire"), path=HERE
        ),
    )


@api.hookimpl
def marketplace_register_commands() -> Sequence[api.Command]:
    """`marketplace charity ...`."""
    return [
        api.Command(group="charity", command=each)
        for each in (*COMMANDS, *campaign_commands.COMMANDS)
    ]


@api.hookimpl
def marketplace_register_checks() -> Sequence[api.Check]:
    """Invariants of gifts, matches and receipts."""
    return CHECKS


@api.hookimpl
def marketplace_register_journal_notes() -> Sequence[api.JournalNotes]:
    """Campaigns, matches, shares, receipts and surplus in the exported journal."""
    return NOTES


def _follow(host: api.Host, burn_id: UUID) -> None:
    with host.transaction() as session:
        following.follow(session, burn_id)


@api.hookimpl
def marketplace_after_burn_fulfilled(fact: api.BurnFact, host: api.Host) -> None:
    """A gift is captured: its match is owed and its receipt made at once."""
    if fact.plugin == host.slug:
        _follow(host, fact.burn_id)


@api.hookimpl
def marketplace_after_burn_voided(fact: api.BurnFact, host: api.Host) -> None:
    """A gift's points are back, so its match is too."""
    if fact.plugin == host.slug:
        _follow(host, fact.burn_id)


@api.hookimpl
def marketplace_after_burn_refunded(fact: api.RefundFact, host: api.Host) -> None:
    """Points of a gift went back: so does its match, and the receipt is corrected."""
    _follow(host, fact.burn_id)
