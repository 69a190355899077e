"""Puts the demonstration's data into an empty database, once; recognises it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import clock
from marketplace.coalition.imports import import_file
from marketplace.coalition.models import Member, Participant
from marketplace.db import open_database
from marketplace.demo import files, gatherings, online
from marketplace.demo.accounts import RAIL, house
from marketplace.demo.causes import BEFORE, gifts_before, with_gifts
from marketplace.demo.finance import Finance
from marketplace.demo.listings import NEWCOMERS
from marketplace.demo.logins import (
    ACTOR,
    FIRST,
    DemoState,
    add_logins,
    load_state,
    make_keys,
    save_state,
)
from marketplace.demo.past import Past
from marketplace.demo.people import OPERATOR
from marketplace.demo.plan import (
    Day,
    Purchase,
    history,
    participants,
    today,
    with_month_ends,
)
from marketplace.demo.shelf import CAUSE_PLUGIN, GIFT_PLUGIN, VOUCHER_PLUGIN, offers
from marketplace.demo.stocking import (
    CATALOG,
    list_campaigns,
    list_offers,
    make_series,
    start_campaigns,
    upload_codes,
)
from marketplace.demo.terminal import Terminal
from marketplace.errors import UsageError
from marketplace.exchange.models import Offer
from marketplace.identity import keys
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal, Scope
from marketplace.identity.models import AuditEntry
from marketplace.ledger.models import SettlementWindow, Wallet
from marketplace.registry import service
from marketplace.registry.activation import activate, look_at
from marketplace.registry.domain import why_not_active
from marketplace.registry.repository import activations, member_id
from marketplace.registry.schemas import Checkup
from marketplace.runtime import Runtime, open_runtime
from marketplace.schema import upgrade_all
from marketplace.settings import Settings

UNCHECKED: Final = "The demonstration: it comes with the program, and is not checked again."
POINT_PRICE: Final = "0.0075"
"""What the coalition says a point is worth, in euros."""
BEGAN: Final = "demo.began"
FINISHED: Final = "demo.finished"
SETTLING: Final = "demo.settling"
"""Months are being settled in a demonstration that an earlier version made."""
SETTLED: Final = "demo.settled"
NO_STRIPE: Final = (
    "This demonstration was made before months were paid over Stripe, and has none: "
    "`make reset`, then `make demo`, makes a new one."
)
"""A month is not paid again by other ways."""
WINDOWS_OF_OLD: Final = 2
"""One that is paid, one that waits for a second person."""
COLLECTING: Final = "demo.collecting"
"""Charities collect."""
GATHERING: Final = "demo.gathering"
"""Events are held."""
MARKS: Final = (BEGAN, FINISHED, SETTLING, SETTLED, COLLECTING, GATHERING)
LOCK: Final = 7_219_004_514
"""Two starts at once: the second waits until the first has made the data."""
CODES_VALID: Final = timedelta(days=800)
CONTRACTS_BEFORE: Final = timedelta(days=400)

Say = Callable[[str], None]


class Holds(Enum):
    """What a database holds."""

    NOTHING = "nothing"
    OURS = "the demonstration"
    HALF = "a demonstration whose making was interrupted"
    OTHERS = "something else"


async def prepare(settings: Settings, say: Say, stripe_port: int | None = None) -> DemoState:
    """The demonstration's data is there when this returns; made now if need be.

    `stripe_port`: where the double of Stripe will listen. Raises UsageError where the database
    holds what the demonstration did not make.
    """
    say("Opening the database ...")
    await upgrade_all(settings)
    async with open_runtime(settings) as runtime, _alone(runtime):
        found = await _what_is_there(runtime)
        if found is Holds.OTHERS:
            raise UsageError(
                "This database already holds members that the demonstration did not make; "
                "it will not add to them. Name an empty database in MARKETPLACE_DATABASE_URL."
            )
        # What the double kept belongs to the data that it was made with.
        fresh = found is not Holds.OURS
        with online.running(settings, stripe_port, fresh=fresh) as double:
            if found is Holds.OURS:
                await _stay_active(runtime)
                await _take_stripe(runtime, double)
                await _come_along(runtime, say, double)
                return load_state(settings) or await _new_state(runtime)
            if found is Holds.HALF:
                say("An earlier start was interrupted while it made the data: starting over.")
                await _wipe(settings)
            return await _make(runtime, say, double)


@contextlib.asynccontextmanager
async def _alone(runtime: Runtime) -> AsyncIterator[None]:
    connection = await runtime.database.connect_raw()
    try:
        await connection.execute("select pg_advisory_lock($1)", LOCK)
        yield
    finally:
        await connection.close()


async def _what_is_there(runtime: Runtime) -> Holds:
    marks = await _marks(runtime)
    async with runtime.database.begin() as session:
        anybody = await session.scalar(sa.select(Member.id).limit(1))
    if FINISHED in marks:
        return Holds.OURS
    if BEGAN in marks:
        return Holds.HALF
    return Holds.NOTHING if anybody is None else Holds.OTHERS


async def _marks(runtime: Runtime) -> set[str]:
    async with runtime.database.begin() as session:
        known = sa.select(AuditEntry.action).where(AuditEntry.action.in_(MARKS))
        return set(await session.scalars(known))


async def _wipe(settings: Settings) -> None:
    """Empty the database, which the mark says the demonstration found empty."""
    database = open_database(settings, as_owner=True)
    try:
        async with database.engine.begin() as connection:
            await connection.exec_driver_sql("drop schema public cascade")
            await connection.exec_driver_sql("create schema public")
    finally:
        await database.close()
    await upgrade_all(settings)


async def _make(runtime: Runtime, say: Say, double: online.Double) -> DemoState:
    shelf, people = offers(), participants()
    now = datetime.now(UTC)
    year = list(history(people, shelf, now))
    begins = year[0].at
    days = list(with_month_ends(with_gifts(year, people, begins), now))
    start = days[0].purchases[0].at - CONTRACTS_BEFORE
    terminal = Terminal(runtime)
    finance = Finance(runtime, terminal, double)
    await _mark(runtime, BEGAN)
    say(f"Making a coalition: {len(people)} participants, {len(shelf)} offers ...")
    await _import(runtime, "members", files.members())
    await _import(runtime, "contracts", files.contracts(start))
    await _import(runtime, "firms", files.firms())
    await _import(runtime, "participants", files.participants(people))
    for plugin in (GIFT_PLUGIN, VOUCHER_PLUGIN):
        await _let_deliver(runtime, plugin, {o.acceptor for o in shelf if o.plugin == plugin})
    await _import(runtime, "offers", files.offers(shelf))
    await _import(runtime, "names", files.names())
    say(f"Filling the gift fund: {sum(offer.codes for offer in shelf)} codes ...")
    await upload_codes(terminal, shelf, now + CODES_VALID)
    await make_series(terminal, shelf)
    async with runtime.database.begin() as session:
        await add_logins(session)
        await _date_window(session, days[0].purchases[0].at)
    await _take_payments(runtime)
    await _take_stripe(runtime, double)
    say("Putting the listings on the shelf ...")
    async with runtime.database.begin() as session:
        await clock.travel_to(session, days[0].at, allowed=True)
    await finance.open_accounts()
    await list_offers(terminal)
    await start_campaigns(terminal, begins, days[0].at)
    await list_campaigns(terminal)
    await terminal.run(CATALOG, "point-price", files.CURRENCY, POINT_PRICE)
    await _play(runtime, days, say, finance)
    for slug in NEWCOMERS:
        await terminal.run(CATALOG, "publish", slug)
    await terminal.run(CATALOG, "count")
    say("Settling the months: netting, payments, statements of the bank ...")
    await finance.settle_months()
    now = datetime.now(UTC)
    await _play(runtime, [gifts_before(now, people), today(people, shelf, now)], say, finance)
    await _hold_events(runtime, terminal, say)
    state = await _new_state(runtime)
    await _mark(runtime, SETTLED)
    await _mark(runtime, COLLECTING)
    await _mark(runtime, FINISHED)
    return state


async def _let_deliver(runtime: Runtime, plugin: str, acceptors: Iterable[str]) -> None:
    """The plugin is active, and enabled for everybody whose rewards it delivers.

    Its check takes longer than the whole demonstration: the audit trail says that it was not made.
    """
    async with runtime.database.begin() as session:
        await activate(session, runtime.settings, plugin, actor=ACTOR, reason=UNCHECKED)
        for slug in sorted(acceptors):
            await service.enable(
                session,
                runtime,
                plugin,
                await member_id(session, slug),
                actor=ACTOR,
                tested=Checkup(ok=True, message="not tested: it has no settings"),
            )


async def _take_payments(runtime: Runtime) -> None:
    """The rail of the payments is active, and knows the clearing house's account."""
    async with runtime.database.begin() as session:
        await activate(session, runtime.settings, RAIL, actor=ACTOR, reason=UNCHECKED)
        await service.configure(session, runtime, RAIL, house(), actor=ACTOR)


async def _take_stripe(runtime: Runtime, double: online.Double) -> None:
    """The rail over Stripe is active, and reaches the double, wherever that listens today."""
    async with runtime.database.begin() as session:
        active = await activations(session)
        installed = await asyncio.to_thread(look_at, online.SLUG)
        if why_not_active(installed, active.get(online.SLUG)) is not None:
            await activate(session, runtime.settings, online.SLUG, actor=ACTOR, reason=UNCHECKED)
        await service.configure(session, runtime, online.SLUG, double.settings, actor=ACTOR)


async def _date_window(session: AsyncSession, first: datetime) -> None:
    """The window that a new database comes with is that of the month in which the story begins."""
    begins = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    await session.execute(sa.update(SettlementWindow).values(opened_at=begins))


async def _come_along(runtime: Runtime, say: Say, double: online.Double) -> None:
    """What an earlier version did not make is made now; what people did since stays as it is."""
    async with runtime.database.begin() as session:
        await add_logins(session)
    marks = await _marks(runtime)
    finance = Finance(runtime, Terminal(runtime), double)
    if SETTLED not in marks:
        await _settle_too(runtime, marks, finance, say)
    if not await finance.over_stripe():
        say(NO_STRIPE)
    if COLLECTING not in marks:
        say("This demonstration has no charities yet: registering two ...")
        now = datetime.now(UTC)
        await start_campaigns(Terminal(runtime), now - BEFORE, now)
        await _mark(runtime, COLLECTING)
        await _play(runtime, [gifts_before(now, participants())], say, finance)
    if GATHERING not in marks:
        await _hold_events(runtime, Terminal(runtime), say)


async def _hold_events(runtime: Runtime, terminal: Terminal, say: Say) -> None:
    """Seats that were announced are on sale, at events that are to come."""
    say("Announcing a conference and a training ...")
    await _let_deliver(runtime, gatherings.PLUGIN, {gatherings.ORGANISER})
    async with runtime.database.begin() as session:
        await gatherings.put_on_sale(session)
    await gatherings.announce(terminal, datetime.now(UTC))
    await _mark(runtime, GATHERING)


async def _settle_too(runtime: Runtime, marks: set[str], finance: Finance, say: Say) -> None:
    if SETTLING in marks or await finance.untouched():
        say("This demonstration has no settled month yet: making one ...")
        await _mark(runtime, SETTLING)
        await _take_payments(runtime)
        await finance.open_accounts()
        await _two_windows(runtime, finance, say)
        await finance.settle_months()
    await _mark(runtime, SETTLED)


async def _two_windows(runtime: Runtime, finance: Finance, say: Say) -> None:
    """All that was is closed as one window, a morning as another, and a morning is in the open one.

    What was cannot be dated back into months.
    """
    people, shelf = participants(), offers()
    while True:
        if not await finance.has_burns():
            await _play(runtime, [today(people, shelf, datetime.now(UTC))], say, finance)
        if len(await finance.closed()) == WINDOWS_OF_OLD:
            return
        await finance.close(f"Until {datetime.now(UTC):%Y-%m-%d %H:%M}")


async def _stay_active(runtime: Runtime) -> None:
    """Plugins that come with the program are activated again where an upgrade changed them."""
    async with runtime.database.begin() as session:
        active = await activations(session)
        for plugin in (GIFT_PLUGIN, VOUCHER_PLUGIN, RAIL, gatherings.PLUGIN):
            installed = await asyncio.to_thread(look_at, plugin)
            if why_not_active(installed, active.get(plugin)) is not None:
                await activate(session, runtime.settings, plugin, actor=ACTOR, reason=UNCHECKED)


async def _import(runtime: Runtime, kind: str, content: bytes) -> None:
    report = await import_file(runtime, kind, io.BytesIO(content), actor=ACTOR)
    if not report.ok:
        raise UsageError("\n".join(report.lines()))


async def _play(runtime: Runtime, days: Sequence[Day], say: Say, finance: Finance) -> None:
    """Play days with a key of the operator that is revoked afterwards; months are closed."""
    scopes = [Scope.BURNS_WRITE, Scope.REFUNDS_WRITE]
    async with runtime.database.begin() as session:
        made = await keys.create_key(
            session, ACTOR, member=OPERATOR, label="The year before", scopes=scopes
        )
        operator_id = (
            await session.execute(sa.select(Member.id).where(Member.slug == OPERATOR))
        ).scalar_one()
    principal = Principal(
        credential_id=made.details.id,
        caller_id=operator_id,
        actor=ACTOR,
        member_id=operator_id,
        is_operator=True,
        scopes=frozenset(scopes),
    )

    async def import_purchases(purchases: Sequence[Purchase]) -> None:
        await _import(runtime, "issuances", files.issuances(purchases))

    terminal = Terminal(runtime)
    past = Past(runtime, principal, import_purchases)
    burning = [day for day in days if day.wishes]
    done = iter(range(1, len(burning) + 1))

    async def after(day: Day) -> None:
        await terminal.run(CAUSE_PLUGIN, "follow")
        if day.ends_month:
            await finance.close(f"{day.at - timedelta(days=1):%Y-%m}")
        elif day.wishes and (number := next(done)) % 9 == 0:
            told = ", ".join(f"{count} {what}" for what, count in sorted(past.told.items()))
            say(f"Playing the past year: {number * 100 // len(burning)} % ({told}) ...")

    await past.play(days, after)
    async with runtime.database.begin() as session:
        await keys.revoke_key(session, ACTOR, made.details.id, member_id=None)


async def _new_state(runtime: Runtime) -> DemoState:
    """Make new API keys and remember them (the first time, or when the file was lost)."""
    link = await gatherings.door(Terminal(runtime))
    async with runtime.database.begin() as session:
        state = DemoState(
            keys=await make_keys(session),
            wallet_id=str(await _first_wallet(session)),
            offer_id=str(await _cheapest_gift(session)),
            door=link,
        )
    save_state(runtime.settings, state)
    return state


async def _first_wallet(session: AsyncSession) -> Any:
    return (
        await session.execute(
            sa.select(Wallet.id)
            .join(Participant, Participant.id == Wallet.participant_id)
            .where(Participant.reference == FIRST.reference)
        )
    ).scalar_one()


async def _cheapest_gift(session: AsyncSession) -> Any:
    gifts = [
        offer for offer in offers() if offer.codes and not (offer.roles or offer.limit_per_wallet)
    ]
    cheapest = min(gifts, key=lambda offer: offer.points)
    return (
        await session.execute(sa.select(Offer.id).where(Offer.reference == cheapest.reference))
    ).scalar_one()


async def _mark(runtime: Runtime, action: str) -> None:
    async with runtime.database.begin() as session:
        await audit(session, ACTOR, action, "demo", "coalition")
