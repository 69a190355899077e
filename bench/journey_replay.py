"""The replay itself: a year of purchases and redemptions through the running product.

For each day with redemptions, in order: the clock is set to the last second of that day, every
issuance up to then is imported, each redemption is burnt over HTTP, and the day ends when the
background process has had every burn fulfilled. So lots, burns and obligations all carry the time
the rules give them. When a month's last day is over its window is closed, netted and approved.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bench.journey_client import Api
from bench.journey_data import Burn, Journey, write_csv
from bench.journey_months import settle_month
from bench.progress import Phases, Progress
from bench.server import BenchError
from marketplace import clock
from marketplace.coalition.imports import import_file
from marketplace.coalition.models import Participant
from marketplace.exchange.models import Offer
from marketplace.ledger.models import Wallet
from marketplace.registry.repository import member_slugs, put_member
from marketplace.runtime import Runtime

OPERATOR = "operator"
BEGIN = "2016-01-01"
LAST_SECOND = time_of_day(23, 59, 59, tzinfo=UTC)
HOLD_CLOCK_S = 0.25
"""The clock runs on from where it is set; set again this often it stays in the day's last second,
so that what is fulfilled for a day is dated by it."""
FULFIL_WITHIN_S = 120
POLL_S = 0.02

HELD = "select count(*) from burn where status = 'held'"
STUCK = """
select fulfilment::text || ' ' || count(*) from burn where status = 'held' group by fulfilment
"""


class Replay:
    """One replay into an empty, migrated database."""

    def __init__(self, runtime: Runtime, journey: Journey, folder: Path, phases: Phases) -> None:
        self._runtime = runtime
        self._journey = journey
        self._folder = folder
        self._phases = phases
        self._progress = Progress()
        self.months: dict[str, UUID] = {}
        """The settlement of each month that had any burns."""

    # -- the coalition --

    async def set_up(self) -> None:
        """Import operator, members, contracts, one firm, a participant a household, offers."""
        members = self._journey.members
        with self._phases.timed("import of the coalition"):
            await self._import(
                "members",
                ("slug", "name", "country", "operator"),
                iter(
                    [(OPERATOR, "Operator", "US", "yes")]
                    + [(slug, slug.replace("-", " ").title(), "US", "no") for slug in members]
                ),
            )
            await self._import(
                "contracts",
                ("reference", "member", "role", "funding", "currency", "price_per_point",
                 "valid_from"),
                ((f"{slug}-2017", slug, "both", "redemption", "EUR", "0.008", BEGIN)
                 for slug in members),
            )  # fmt: skip
            await self._import(
                "firms", ("reference", "name", "country"), iter([("journey", "Households", "US")])
            )
            await self._import(
                "participants",
                ("reference", "firm", "name", "role"),
                ((_participant(number), "journey", f"Household {number}", "household")
                 for number in self._journey.households),
            )  # fmt: skip
            async with self._runtime.database.begin() as session:
                for member_id in await member_slugs(session):
                    await put_member(session, "giftfund", member_id, enabled=True)
            await self._import(
                "offers",
                ("reference", "kind", "name", "acceptor", "plugin", "sku", "points", "cost",
                 "currency", "stock", "status"),
                ((_offer(slug), "gift", f"Coupon of {slug}", slug, "giftfund", slug, "2500",
                  "17.50", "EUR", "0", "on_sale") for slug in members),
            )  # fmt: skip

    async def _import(
        self, kind: str, header: tuple[str, ...], rows: Iterator[tuple[Any, ...]], suffix: str = ""
    ) -> int:
        """Write a file and have the product import it; returns the rows that were new."""
        path = self._folder / f"{kind}{suffix}.csv"
        write_csv(path, header, rows)
        report = await import_file(self._runtime, kind, path)
        if not report.ok or report.unchanged:
            raise BenchError(f"{path}: " + "; ".join(report.lines()[:5]))
        return report.new

    def upload_codes(self, api: Api) -> None:
        """A code for each redemption, in a pool of each acceptor."""
        with self._phases.timed("upload of codes"):
            wanted = Counter(burn.acceptor for burn in self._journey.burns())
            for slug, count in sorted(wanted.items()):
                api.upload_codes(slug, count)

    # -- the year --

    async def run(self, api: Api) -> None:
        """Replay every day of the journey."""
        issuances = self._journey.issuances()
        burns = self._journey.burns()
        wallets, offers = await self._ids()
        issued = burnt = 0
        last: date | None = None
        for day, of_day in groupby(burns, key=lambda burn: burn.day):
            todays = list(of_day)
            if last is not None and _month(last) != _month(day):
                await self._settle(last)
            last = day
            await self._set_clock(day)
            count = _up_to(issuances, day)
            await self._issue(issuances[issued:count], f"-{day}")
            issued = count
            await self._burn(api, day, todays, wallets, offers)
            burnt += len(todays)
            self._progress.show(
                f"{day}: {issued:,} of {len(issuances):,} issuances, "
                f"{burnt:,} of {len(burns):,} redemptions"
            )
        if last is not None:
            await self._settle(last)
        if issued < len(issuances):
            await self._set_clock(issuances.moment.iloc[-1].date())
            await self._issue(issuances[issued:], "-after-the-last-redemption")
        self._progress.done(f"{len(issuances):,} issuances, {burnt:,} redemptions")

    async def _ids(self) -> tuple[dict[str, UUID], dict[str, UUID]]:
        """Wallets by reference of the participant, offers by reference."""
        async with self._runtime.database.begin() as session:
            owned = sa.select(Participant.reference, Wallet.id).join(
                Wallet, Wallet.participant_id == Participant.id
            )
            wallets: dict[str, UUID] = dict((await session.execute(owned)).all())
            listed = await session.execute(sa.select(Offer.reference, Offer.id))
            return wallets, dict(listed.all())

    async def _set_clock(self, day: date) -> None:
        """Business time: the last second of `day`."""
        moment = datetime.combine(day, LAST_SECOND)
        async with self._runtime.database.begin() as session:
            await clock.travel_to(session, moment, allowed=self._runtime.settings.clock_travel)

    async def _issue(self, issuances: Any, suffix: str) -> None:
        """Import a slice of the issuances, which are in the order of draws."""
        rows = (
            (f"{basket}/{member}", member, _participant(household), points, f"{moment}Z")
            for moment, member, basket, household, points in issuances.itertuples(index=False)
        )
        header = ("reference", "issuer", "participant", "points", "effective_at")
        with self._phases.timed("import of issuances"):
            await self._import("issuances", header, rows, suffix)

    async def _burn(
        self,
        api: Api,
        day: date,
        burns: list[Burn],
        wallets: dict[str, UUID],
        offers: dict[str, UUID],
    ) -> None:
        """Burn one after the other, then wait until all that is held is fulfilled."""
        with self._phases.timed("burns over HTTP"):
            for burn in burns:
                await self._set_clock(day)
                wallet_id = wallets[_participant(burn.household)]
                api.burn(f"journey-{burn.row}", wallet_id, offers[_offer(burn.acceptor)])
        with self._phases.timed("waiting for fulfilment"):
            await self._wait_fulfilled(day)

    async def _wait_fulfilled(self, day: date) -> None:
        deadline = time.monotonic() + FULFIL_WITHIN_S
        clock_due = 0.0
        while await self._scalar(HELD):
            now = time.monotonic()
            if now > deadline:
                raise BenchError(f"{day}: not fulfilled in time: {await self._scalar(STUCK)}")
            if now > clock_due:
                await self._set_clock(day)
                clock_due = now + HOLD_CLOCK_S
            await asyncio.sleep(POLL_S)

    async def _settle(self, last: date) -> None:
        """Close the month of its last day with burns."""
        await self._set_clock(last)
        with self._phases.timed("closing and netting months"):
            made = await settle_month(self._runtime, _month(last))
        if made is not None:
            self.months[_month(last)] = made

    async def _scalar(self, statement: str) -> Any:
        async with self._runtime.database.begin() as session:
            return await session.scalar(sa.text(statement))


def _month(day: date) -> str:
    return f"{day:%Y-%m}"


def _participant(household: int) -> str:
    return f"household-{household}"


def _offer(slug: str) -> str:
    return f"coupon-{slug}"


def _up_to(issuances: Any, day: date) -> int:
    """How many issuances, which are sorted by time, are of `day` or earlier."""
    end = datetime.combine(day, time_of_day(23, 59, 59, 999_999))
    return int(issuances.moment.searchsorted(end, side="right"))
