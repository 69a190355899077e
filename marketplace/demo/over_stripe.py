"""Two members that keep their accounts outside SEPA: from the newest paid month on they pay and are
paid over Stripe, which is a test double here; its balance is read like a bank's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import msgspec

from marketplace.demo import bank, online
from marketplace.demo.logins import CLERK, CONTROLLER
from marketplace.demo.terminal import Terminal
from marketplace.errors import UsageError
from marketplace.runtime import Runtime

ROOM: Final = "settlement"
COUNTRY: Final = "US"
"""Where they keep their accounts."""
BACK_TO: Final = "https://example.org/"
BILL_MINOR: Final = 1_900
"""What Stripe bills the house a month."""
MICROS_PER_MINOR: Final = 10_000
DAY: Final = timedelta(days=1)
DAYS_OF_PAYOUT: Final = timedelta(days=4)
"""From a payout until a statement of the bank shows it, at most."""
READ: Final = timedelta(days=1, hours=9)
"""After the day of a statement."""


class OverStripe:
    """What the clerk and the controller do about Stripe; nothing where there is no double."""

    def __init__(
        self,
        runtime: Runtime,
        terminal: Terminal,
        double: online.Double | None,
        *,
        by: Callable[..., Awaitable[str]],
        at: Callable[[datetime], Awaitable[None]],
    ) -> None:
        """`by(login, *words)` runs a command of settlement; `at` sets the clock."""
        self._runtime, self._terminal, self._double = runtime, terminal, double
        self._by, self._at = by, at

    async def two_move(self, reference: str) -> None:
        """A debtor and a creditor of a settlement have accounts at Stripe from now on."""
        chosen = payer_and_payee(await self._json("legs", reference))
        if self._double is None or chosen is None:
            return
        if not await self.house_accounts():
            words = ("--rail", online.SLUG, "--name", online.LABEL)
            await self._by(CLERK, "bank", "add-account", online.ACCOUNT, *words)
        for slug, there in zip(chosen, self._double.members, strict=False):
            have = [
                each
                for each in await self._json("accounts", "list")
                if each["member"]["slug"] == slug and each["rail"] == online.SLUG
            ]
            status = {each["status"]: each["id"] for each in have}
            if "active" not in status:
                account = status.get("proposed") or await self._propose(slug, there)
                await self._by(CONTROLLER, "accounts", "approve", account)

    async def _propose(self, slug: str, there: dict[str, str]) -> str:
        """The id of the account that the clerk proposes for a member."""
        mail = ("--email", f"office@{slug}.example", "--back-to", BACK_TO)
        said = await self._terminal.run(online.SLUG, "connect", slug, "--country", COUNTRY, *mail)
        connected = said.split()[1]
        account = msgspec.json.encode({**there, "connected": connected}).decode()
        made = await self._by(
            CLERK,
            *("accounts", "propose", slug, "--rail", online.SLUG),
            *("--currency", bank.CURRENCY, "--account", account, "--json"),
        )
        (proposed,) = msgspec.json.decode(made)
        return str(proposed["id"])

    async def house_month(self) -> None:
        """Stripe bills the house, keeps some of its balance back for a day, and pays some of it out
        to the bank; nothing where that was so already, or where the days are not over."""
        double = self._double
        if double is None or not await self.house_accounts():
            return
        found = await self._house()
        if found.payouts or not found.days or found.balance <= BILL_MINOR:
            return
        first = datetime.combine(found.days[-1] + DAY, time(6), UTC)
        if first + DAYS_OF_PAYOUT >= datetime.now(UTC):
            return
        kept, paid = found.balance // 10, found.balance // 4
        await self._at(first)
        await self._house("fee", amount=BILL_MINOR, description="Billing")
        await self._house("hold", amount=kept)
        await self._house("payout", amount=paid)
        await self._at(first + DAY)
        await self._house("release", amount=kept)

    async def arrived(self) -> list[tuple[date, bank.Movement]]:
        """What the house's bank shows of payouts, and on which days."""
        if self._double is None:
            return []
        arrived = []
        for each in (await self._house()).payouts:
            if each.status != "paid":
                await self._house("arrive", payout=each.id)
            movement = bank.Movement(
                micros=each.amount * MICROS_PER_MINOR,
                name="STRIPE PAYMENTS",
                account="",
                text=f"STRIPE PAYOUT {each.id}",
            )
            arrived.append((each.arrives.date(), movement))
        return arrived

    async def _house(self, do: str | None = None, **more: str | int) -> online.Balance:
        double = self._double
        if double is None:
            raise UsageError("There is no double of Stripe here.")
        return await asyncio.to_thread(lambda: double.house(do, **more))

    async def read(self) -> None:
        """The balance at Stripe is read, and each day of it that is over imported."""
        ours = await self.house_accounts()
        if self._double is None or not ours:
            return
        await self._terminal.run(online.SLUG, "sweep")
        statements = await self._json("bank", "statements")
        known = {each["to_on"] for each in statements if each["account_id"] in ours}
        for day in await self._days():
            if f"{day}" not in known:
                await self._import(day)

    async def _days(self) -> list[date]:
        """Days that are over on which the balance moved."""
        today = datetime.now(UTC).date()
        return [day for day in (await self._house()).days if day < today]

    async def _import(self, day: date) -> None:
        path = online.folder(self._runtime.settings) / f"{day}.statement.jsonl"
        words = ("--currency", bank.CURRENCY, "--out", str(path))
        await self._terminal.run(online.SLUG, "statement", f"{day}", *words)
        await self._at(datetime(day.year, day.month, day.day, tzinfo=UTC) + READ)
        await self._by(CLERK, "bank", "import", str(path))

    async def house_accounts(self) -> set[str]:
        """Ids of the clearing house's accounts there."""
        found = await self._json("bank", "accounts")
        return {each["id"] for each in found if each["rail"] == online.SLUG}

    async def _json(self, *words: str) -> Any:
        return await self._terminal.json(ROOM, *words)


def payer_and_payee(legs: list[dict[str, Any]]) -> tuple[str, str] | None:
    """Slugs of who owes most and who is owed least; None: there are none such.

    The balance is then enough for what is paid from it, fees too, this month and the next.
    """
    sums: dict[str, list[tuple[int, str]]] = {"collect": [], "pay": []}
    for leg in legs:
        sums[leg["direction"]].append((leg["amount_minor"], leg["member"]["slug"]))
    if not sums["collect"]:
        return None
    most, payer = max(sums["collect"])
    fitting = [(owed, slug) for owed, slug in sums["pay"] if 0 < owed < most * 9 // 10]
    return (payer, min(fitting)[1]) if fitting else None
