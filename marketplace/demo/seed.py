"""Puts the demonstration's data into an empty database, once; recognises it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import clock
from marketplace.coalition.imports import import_file
from marketplace.coalition.models import Member, Participant
from marketplace.db import open_database
from marketplace.demo import files
from marketplace.demo.listings import NEWCOMERS, categories, listings
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
from marketplace.demo.pictures import draw
from marketplace.demo.plan import Day, Purchase, history, participants
from marketplace.demo.shelf import GIFT_PLUGIN, VOUCHER_PLUGIN, DemoOffer, offers
from marketplace.errors import UsageError
from marketplace.exchange.models import Offer
from marketplace.identity import keys
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal, Scope
from marketplace.identity.models import AuditEntry
from marketplace.ledger.models import Wallet
from marketplace.registry import service
from marketplace.registry.activation import activate, look_at
from marketplace.registry.domain import why_not_active
from marketplace.registry.repository import activations, member_id
from marketplace.registry.schemas import Checkup
from marketplace.runtime import Runtime, open_runtime
from marketplace.schema import upgrade_all
from marketplace.settings import Settings

CATALOG: Final = "catalog"
UNCHECKED: Final = "The demonstration: it comes with the program, and is not checked again."
POINT_PRICE: Final = "0.0075"
"""What the coalition says a point is worth, in euros."""
BEGAN: Final = "demo.began"
FINISHED: Final = "demo.finished"
LOCK: Final = 7_219_004_512
"""Two starts at once: the second waits until the first has made the data."""
CODES_VALID: Final = timedelta(days=800)
CONTRACTS_BEFORE: Final = timedelta(days=400)
LETTERS: Final = "ACDEFGHJKLMNPQRTUVWXY3479"

Say = Callable[[str], None]


class Holds(Enum):
    """What a database holds."""

    NOTHING = "nothing"
    OURS = "the demonstration"
    HALF = "a demonstration whose making was interrupted"
    OTHERS = "something else"


async def prepare(settings: Settings, say: Say) -> DemoState:
    """The demonstration's data is there when this returns; made now if need be.

    Raises UsageError where the database holds what the demonstration did not make.
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
        if found is Holds.OURS:
            await _stay_active(runtime)
            return load_state(settings) or await _new_state(runtime)
        if found is Holds.HALF:
            say("An earlier start was interrupted while it made the data: starting over.")
            await _wipe(settings)
        return await _make(runtime, say)


@contextlib.asynccontextmanager
async def _alone(runtime: Runtime) -> AsyncIterator[None]:
    connection = await runtime.database.connect_raw()
    try:
        await connection.execute("select pg_advisory_lock($1)", LOCK)
        yield
    finally:
        await connection.close()


async def _what_is_there(runtime: Runtime) -> Holds:
    async with runtime.database.begin() as session:
        marks = set(
            await session.scalars(
                sa.select(AuditEntry.action).where(AuditEntry.action.in_((BEGAN, FINISHED)))
            )
        )
        anybody = await session.scalar(sa.select(Member.id).limit(1))
    if FINISHED in marks:
        return Holds.OURS
    if BEGAN in marks:
        return Holds.HALF
    return Holds.NOTHING if anybody is None else Holds.OTHERS


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


async def _make(runtime: Runtime, say: Say) -> DemoState:
    shelf, people = offers(), participants()
    now = datetime.now(UTC)
    days = list(history(people, shelf, now))
    start = days[0].purchases[0].at - CONTRACTS_BEFORE
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
    await asyncio.to_thread(_upload_codes, runtime, shelf, now + CODES_VALID)
    await asyncio.to_thread(_make_series, runtime, shelf)
    async with runtime.database.begin() as session:
        await add_logins(session)
    say("Putting the listings on the shelf ...")
    async with runtime.database.begin() as session:
        await clock.travel_to(session, days[0].at, allowed=True)
    await asyncio.to_thread(_list_offers, runtime)
    await asyncio.to_thread(_catalog, runtime, "point-price", files.CURRENCY, POINT_PRICE)
    await _play(runtime, days, say)
    for slug in NEWCOMERS:
        await asyncio.to_thread(_catalog, runtime, "publish", slug)
    await asyncio.to_thread(_catalog, runtime, "count")
    state = await _new_state(runtime)
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


async def _stay_active(runtime: Runtime) -> None:
    """Plugins that come with the program are activated again where an upgrade changed them."""
    async with runtime.database.begin() as session:
        active = await activations(session)
        for plugin in (GIFT_PLUGIN, VOUCHER_PLUGIN):
            installed = await asyncio.to_thread(look_at, plugin)
            if why_not_active(installed, active.get(plugin)) is not None:
                await activate(session, runtime.settings, plugin, actor=ACTOR, reason=UNCHECKED)


async def _import(runtime: Runtime, kind: str, content: bytes) -> None:
    report = await import_file(runtime, kind, io.BytesIO(content), actor=ACTOR)
    if not report.ok:
        raise UsageError("\n".join(report.lines()))


def _upload_codes(runtime: Runtime, shelf: Sequence[DemoOffer], valid_until: datetime) -> None:
    """Fill each pool with the plugin's own command, as its supplier would."""
    command = _upload_command(runtime)
    draw = random.Random(len(shelf))  # noqa: S311 - worthless codes
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        for offer in shelf:
            if not offer.codes:
                continue
            sku = offer.reference.split("/")[1]
            path = Path(folder) / f"{sku}.csv"
            path.write_bytes(
                files.as_csv(
                    {
                        "code": f"{sku[:4].upper()}-{_letters(draw)}-{_letters(draw)}",
                        "expires_on": f"{valid_until:%Y-%m-%d}",
                        "label": offer.name,
                    }
                    for _ in range(offer.codes)
                )
            )
            command.main(args=[sku, str(path)], standalone_mode=False)


def _make_series(runtime: Runtime, shelf: Sequence[DemoOffer]) -> None:
    """Make the series of the vouchers with the plugin's own command, as its owner would."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "series.csv"
        path.write_bytes(files.series(shelf))
        command = _command(runtime, VOUCHER_PLUGIN, "series-import")
        command.main(args=[str(path)], standalone_mode=False)


def _list_offers(runtime: Runtime) -> None:
    """Import the listings and their pictures with the catalog's own commands, as anybody would."""
    shown = list(listings())
    with tempfile.TemporaryDirectory() as folder:
        documents = Path(folder) / "listings.json"
        lines = [*categories(), *(each.document for each in shown)]
        documents.write_bytes(b"\n".join(map(msgspec.json.encode, lines)))
        _catalog(runtime, "import", str(documents))
        for each in shown:
            picture = Path(folder) / f"{each.slug}.png"
            picture.write_bytes(draw(each.slug, each.kind))
            _catalog(runtime, "picture", each.slug, str(picture))


def _catalog(runtime: Runtime, name: str, *arguments: str) -> None:
    """Run a command of the catalog; UsageError with what it says where it fails."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            _command(runtime, CATALOG, name).main(args=list(arguments), standalone_mode=False)
        except SystemExit as stop:
            if stop.code:
                raise UsageError(said.getvalue()) from None


def _upload_command(runtime: Runtime) -> click.Command:
    return _command(runtime, GIFT_PLUGIN, "upload")


def _command(runtime: Runtime, plugin: str, name: str) -> click.Command:
    for slug, commands in runtime.plugins.call_each("marketplace_register_commands"):
        for each in commands:
            if slug == plugin and each.command.name == name:
                found: click.Command = each.command
                return found
    raise UsageError(f"The demonstration needs the plugin {plugin}, which is not in force.")


def _letters(draw: random.Random) -> str:
    return "".join(draw.choices(LETTERS, k=5))


async def _play(runtime: Runtime, days: Sequence[Day], say: Say) -> None:
    """Play the year with a key of the operator that is revoked afterwards."""
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

    past = Past(runtime, principal, import_purchases)
    done = iter(range(1, len(days) + 1))

    def progress() -> None:
        if (number := next(done)) % 9 == 0:
            told = ", ".join(f"{count} {what}" for what, count in sorted(past.told.items()))
            say(f"Playing the past year: {number * 100 // len(days)} % ({told}) ...")

    await past.play(days, progress)
    async with runtime.database.begin() as session:
        await keys.revoke_key(session, ACTOR, made.details.id, member_id=None)


async def _new_state(runtime: Runtime) -> DemoState:
    """Make new API keys and remember them (the first time, or when the file was lost)."""
    async with runtime.database.begin() as session:
        state = DemoState(
            keys=await make_keys(session),
            wallet_id=str(await _first_wallet(session)),
            offer_id=str(await _cheapest_gift(session)),
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
