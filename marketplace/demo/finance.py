"""What two people of finance do month after month, at the command line as they would.

Past months are netted, vouched for by both, sent to the bank, and paid; the month before this one
waits for the second person. Each step looks at what is there and does what comes next, so that
whoever is interrupted goes on where it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from marketplace import clock
from marketplace.coalition.models import Member
from marketplace.demo import accounts, bank, online
from marketplace.demo.bank import Movement, Statement
from marketplace.demo.logins import CLERK, CONTROLLER, SUPPLIER, Login
from marketplace.demo.over_stripe import OverStripe
from marketplace.demo.terminal import Terminal
from marketplace.errors import UsageError
from marketplace.identity.repository import person_by_email
from marketplace.ledger.domain import ObligationKind
from marketplace.ledger.models import Obligation
from marketplace.runtime import Runtime

ROOM: Final = "settlement"
WINDOWS: Final = 100
ROUNDS: Final = 3
"""Times that the bank is waited for: debtors pay, then creditors are paid."""
APART: Final = 2
"""Paid months that are settled one by one, the newest; all before them are settled together."""
STRANGER: Final = Movement(
    micros=412_500_000,
    name="Bauhof Kessler GmbH",
    account="DE75999501300000815470",
    text="Rechnung 2026-0417",
)
"""Money that belongs to nothing, so that the inbox of breaks has something in it."""
DISPUTED_BECAUSE: Final = "Delivered twice by mistake; the first card was cancelled by phone."

# When in the days after a window has closed each step is taken.
NETTED: Final = timedelta(hours=9)
CHECKED: Final = timedelta(hours=9, minutes=20)
APPROVED: Final = timedelta(days=1, hours=10)
SENT: Final = timedelta(days=1, hours=10, minutes=30)
DUE: Final = timedelta(days=5)
NOW: Final = datetime.max.replace(tzinfo=UTC)
"""Later than now, so now."""
READ: Final = timedelta(days=1, hours=8)
"""After the day of a statement."""


class Window(msgspec.Struct):
    """A window, as `settlement status` tells it."""

    id: UUID
    status: str
    opened_at: datetime
    closed_at: datetime | None
    totals: list[Any]


class _Lag(msgspec.Struct):
    rows: int


class _Windows(msgspec.Struct):
    windows: list[Window]
    lag: _Lag


class Done(msgspec.Struct):
    """What is done, for who checks the demonstration."""

    settled: list[str]
    """References of settlements that are paid to the last leg."""
    waiting: list[str]
    """References of settlements on their way."""
    statements: int
    breaks: int
    """What a person has yet to explain."""
    green: list[str]
    """Days on which the bank moved money and all five sides agree."""
    not_green: list[str]
    """Such days before the first break on which they do not."""


class Finance:
    """The clerk, the controller, and their bank."""

    def __init__(
        self, runtime: Runtime, terminal: Terminal, double: online.Double | None = None
    ) -> None:
        """`double`: of Stripe, where some are settled with through it."""
        self._runtime, self._terminal = runtime, terminal
        self._double = double
        self._stripe = OverStripe(runtime, terminal, double, by=self._as, at=self._at)
        self._actors: dict[str, str] = {}
        self._folder = runtime.settings.var_dir / "bank"
        """What was sent to the bank and what came from it, to look at."""

    # -- accounts ---------------------------------------------------------------------------------

    async def open_accounts(self) -> None:
        """The clearing house has an account, and each member one that both people vouched for."""
        known = await self._json("bank", "accounts")
        if not known:
            name = accounts.house()["name"]
            await self._as(CLERK, "bank", "add-account", accounts.HOUSE.iban, "--name", name)
        have = {
            each["member"]["slug"]: each
            for each in await self._json("accounts", "list")
            if each["status"] in ("proposed", "active")
        }
        for slug, account in accounts.of_members().items():
            if slug not in have:
                given = msgspec.json.encode(account).decode()
                made = await self._as(
                    CLERK,
                    *("accounts", "propose", slug, "--rail", accounts.RAIL),
                    *("--currency", bank.CURRENCY, "--account", given, "--json"),
                )
                (have[slug],) = msgspec.json.decode(made)
            if have[slug]["status"] == "proposed":
                await self._as(CONTROLLER, "accounts", "approve", have[slug]["id"])

    # -- windows ----------------------------------------------------------------------------------

    async def close(self, note: str) -> None:
        """The clerk closes the window that is open."""
        await self._as(CLERK, "close", "--note", note)

    async def closed(self) -> list[Window]:
        """Windows that are closed, oldest first, but for those in which nothing was."""
        settled = {each for one in await self._settlements() for each in one["windows"]}
        return [
            each
            for each in reversed((await self._windows()).windows)
            if each.status == "closed" or str(each.id) in settled
        ]

    async def has_burns(self) -> bool:
        """Whether anything is in the window that is open."""
        found = await self._windows()
        return bool(found.lag.rows or any(w.totals for w in found.windows if w.status == "open"))

    async def untouched(self) -> bool:
        """Whether nobody has closed a window or given the clearing house an account."""
        found = (await self._windows()).windows
        return len(found) == 1 and not await self._json("bank", "accounts")

    async def over_stripe(self) -> bool:
        """Whether a month was settled over Stripe."""
        return bool(await self._stripe.house_accounts())

    async def _windows(self) -> _Windows:
        answer = await self._terminal.run(ROOM, "status", "--limit", str(WINDOWS), "--json")
        return msgspec.json.decode(answer, type=_Windows)

    async def settle_months(self) -> None:
        """Every closed window is paid, but for the newest, which waits for the controller.

        Business time is the real time afterwards.
        """
        windows = await self.closed()
        paid, last = windows[:-1], windows[-1:]
        early = paid[:-APART]
        for together in [early, *([each] for each in paid[-APART:])]:
            if together:
                await self._settle(together, over_stripe=together[-1] is paid[-1])
        await self._stripe.house_month()
        await self._stripe.read()
        await self._payouts_arrive()
        if last:
            await self._stranger_pays()
            await self._wait_for_controller(last)
        await self._real_time()

    async def _settle(self, windows: Sequence[Window], *, over_stripe: bool) -> None:
        """From closed windows to a settlement that is paid, of two members over Stripe."""
        began = windows[-1].closed_at or datetime.now(UTC)
        due = min(began + DUE, datetime.now(UTC)).date()
        reference, status = await self._net(windows, began + NETTED, due)
        for before, step, by, after in (
            ("pending", "record", CLERK, CHECKED),
            ("recorded", "approve", CONTROLLER, APPROVED),
            ("approved", "submit", CLERK, SENT),
        ):
            if status == before:
                await self._at(began + after)
                if step == "submit" and over_stripe:
                    await self._stripe.two_move(reference)
                status = await self._take(by, step, reference)
        for number in range(ROUNDS):
            if status == "settled":
                return
            day = min(began + DUE + timedelta(days=number), datetime.now(UTC))
            await self._bank_books(reference, day.date())
            status = await self._take(CLERK, "submit", reference)
        if status != "settled":
            raise UsageError(f"The settlement {reference} of the demonstration is not paid.")

    async def _net(self, windows: Sequence[Window], at: datetime, due: date) -> tuple[str, str]:
        """Reference and status of the settlement of these windows, made now if need be."""
        for each in await self._settlements():
            if str(windows[0].id) in each["windows"]:
                return each["reference"], each["status"]
        await self._at(at)
        named = [word for each in windows for word in ("--window", str(each.id))]
        made = await self._as(CLERK, "net", *named, "--due", f"{due}", "--json")
        view = msgspec.json.decode(made)["settlement"]
        return view["reference"], view["status"]

    async def _take(self, who: Login, step: str, reference: str) -> str:
        """The status after a step of a settlement."""
        made = msgspec.json.decode(await self._as(who, step, reference, "--json"))
        return str(made["settlement"]["status"])

    async def _wait_for_controller(self, windows: Sequence[Window]) -> None:
        """The newest closed month: netted and checked, without the line that a member disputes."""
        (window,) = windows
        await self._real_time()
        if window.status == "closed":
            await self._dispute(window)
        due = (datetime.now(UTC) + timedelta(days=3)).date()
        reference, status = await self._net(windows, NOW, due)
        if status == "pending":
            await self._take(CLERK, "record", reference)

    async def _dispute(self, window: Window) -> None:
        if await self._json("dispute", "list"):
            return
        async with self._runtime.database.begin() as session:
            row = (
                await session.execute(
                    sa.select(Obligation.wallet_id, Obligation.id)
                    .join(Member, Member.id == Obligation.acceptor_id)
                    .where(
                        Obligation.window_id == window.id,
                        Obligation.kind == ObligationKind.CAPTURE,
                        Member.slug == SUPPLIER.member,
                    )
                    .order_by(Obligation.effective_at.desc(), Obligation.id)
                    .limit(1)
                )
            ).first()
        if row is not None:
            line = f"{row.wallet_id}:{row.id}"
            reason = ("--reason", DISPUTED_BECAUSE)
            await self._as(SUPPLIER, "dispute", "open", str(SUPPLIER.member), line, *reason)

    # -- the bank ---------------------------------------------------------------------------------

    async def bank_answers(self) -> Path | None:
        """The bank's statement on payments that were sent off, not imported; None: there are none.

        It books them today, whenever they are due.
        """
        found: list[Movement] = []
        for each in await self._settlements():
            if each["status"] in ("submitted", "settling"):
                found += await self._awaited(each["reference"])
        return await self._write(datetime.now(UTC).date(), found) if found else None

    async def _bank_books(self, reference: str, day: date) -> None:
        """The bank books what it was sent and has not booked; the clerk reads its statement."""
        if found := await self._awaited(reference):
            await self._import(day, found)

    async def _awaited(self, reference: str) -> list[Movement]:
        """What the bank was sent for a settlement, and no statement shows."""
        sent = self._folder / reference
        await self._terminal.run(ROOM, "files", reference, "--output", str(sent))
        waiting = {
            each["reference"]
            for each in await self._json("legs", reference)
            if each["status"] in ("submitted", "accepted")
        }
        return [
            each
            for path in sorted(sent.iterdir())
            for each in bank.ordered(path.read_bytes())
            if each.reference in waiting
        ]

    async def _payouts_arrive(self) -> None:
        """The bank shows what Stripe paid out."""
        shown = {each["to_on"] for each in await self._of_the_bank()}
        for day, movement in await self._stripe.arrived():
            if f"{day}" not in shown:
                await self._import(day, [movement])

    async def _stranger_pays(self) -> None:
        """A statement of yesterday has money on it that nobody can explain."""
        breaks = await self._json("bank", "breaks", "--all")
        if not any(each["amount_micros"] == STRANGER.micros for each in breaks):
            yesterday = datetime.now(UTC).date() - timedelta(days=1)
            last = max(
                (date.fromisoformat(each["to_on"]) for each in await self._statements()),
                default=yesterday,
            )
            await self._import(max(yesterday, last), [STRANGER])

    async def _import(self, day: date, movements: Sequence[Movement]) -> None:
        path = await self._write(day, movements)
        await self._at(datetime(day.year, day.month, day.day, tzinfo=UTC) + READ)
        await self._as(CLERK, "bank", "import", str(path))

    async def _write(self, day: date, movements: Sequence[Movement]) -> Path:
        """The bank's next statement."""
        before = await self._of_the_bank()
        statement = Statement(
            account=accounts.HOUSE.iban,
            number=len(before) + 1,
            day=day,
            # Those imported last are told first.
            opening_micros=before[0]["closing_micros"] if before else 0,
            movements=movements,
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / statement.file_name
        path.write_bytes(bank.written(statement))
        return path

    async def done(self) -> Done:
        """What is done. Days with an open break, or after one, are not green, and not counted."""
        settlements = await self._settlements()
        breaks = await self._json("bank", "breaks")
        first = min((each["opened_on"] for each in breaks), default="9999-12-31")
        statements = await self._statements()
        days = sorted({each["to_on"] for each in statements if each["to_on"] < first})
        closes = {day: await self._terminal.ask(ROOM, "daily", "--date", day) for day in days}
        return Done(
            settled=[each["reference"] for each in settlements if each["status"] == "settled"],
            waiting=[each["reference"] for each in settlements if each["status"] != "settled"],
            statements=len(statements),
            breaks=len(breaks),
            green=[day for day, said in closes.items() if not said.status],
            not_green=[day for day, said in closes.items() if said.status],
        )

    # -- what is there ----------------------------------------------------------------------------

    async def _statements(self, of: Collection[str] = ()) -> list[dict[str, Any]]:
        """Of these accounts, or of all; the newest first."""
        found = await self._json("bank", "statements")
        return [each for each in found if not of or each["account_id"] in of]

    async def _of_the_bank(self) -> list[dict[str, Any]]:
        accounts_ = await self._json("bank", "accounts")
        ids = [each["id"] for each in accounts_ if each["identifier"] == accounts.HOUSE.iban]
        return await self._statements(ids)

    async def _settlements(self) -> list[dict[str, Any]]:
        """Those that are not aborted, newest first."""
        found = (await self._json("show"))["settlements"]
        return [each for each in found if each["status"] != "aborted"]

    async def _json(self, *words: str) -> Any:
        return await self._terminal.json(ROOM, *words)

    async def _as(self, who: Login, *words: str) -> str:
        """What a person does."""
        return await self._terminal.run(ROOM, *words, who=await self._actor(who))

    async def _actor(self, who: Login) -> str:
        if who.email not in self._actors:
            async with self._runtime.database.begin() as session:
                person = await person_by_email(session, who.email)
            if person is None:
                raise UsageError(f"{who.email} is not there any more.")
            self._actors[who.email] = f"person:{person.id}"
        return self._actors[who.email]

    async def _at(self, moment: datetime) -> None:
        """Business time is `moment`, or now where that is still to come."""
        if moment >= datetime.now(UTC):
            await self._real_time()
            return
        async with self._runtime.database.begin() as session:
            await clock.travel_to(session, moment, allowed=True)
        if self._double is not None:
            await asyncio.to_thread(self._double.set_clock, moment)

    async def _real_time(self) -> None:
        async with self._runtime.database.begin() as session:
            await clock.travel_back(session)
        if self._double is not None:
            await asyncio.to_thread(self._double.set_clock, None)
