"""The product, spoken to and read by the words of the oracle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from marketplace.coalition.domain import Breakage, ContractRole, Funding
from marketplace.ids import uuid7
from marketplace.ledger.debts import Debt, owe
from marketplace.ledger.models import Exposure, MemberDebt, Obligation
from marketplace.runtime import Runtime
from settlement.clearing import books, defaulting, legs, repository
from settlement.clearing import service as clearing
from settlement.clearing.defaulting import Cover
from settlement.clearing.domain import AccountKind, Mode
from settlement.clearing.models import SettlementLeg
from settlement.disputes import service as disputes
from settlement.disputes.domain import NO_WALLET, LineId
from tests.factories import Coalition
from tests.ledger.driver import Driver
from tests.settlement.chain.naive import Line, Terms
from tests.settlement.chain.naive_house import HOUSE, Leg
from tests.settlement.clearing.house import ANNA, BANK, BORIS
from tests.settlement.clearing.house import House as Finance

ALL_DISPUTABLE_DAYS = 3_650
WORDS = {
    AccountKind.MEMBER_DUE: "due",
    AccountKind.POOL: "pool",
    AccountKind.ROUNDING: "rounding",
    AccountKind.IN_TRANSIT: "transit",
    AccountKind.BANK: "bank",
    AccountKind.MARGIN: "margin",
}


class Stage:
    """The real clearing house, spoken to by the names that the oracle uses."""

    def __init__(self, coalition: Coalition, drive: Driver) -> None:
        self.coalition, self.drive = coalition, drive
        self.runtime: Runtime = coalition.runtime
        self.finance = Finance(coalition)
        self.finance.paper.currencies = frozenset()
        self.lines: dict[Line, LineId] = {}
        """Rows of lines, once their window is closed."""
        self.legs: dict[Leg, UUID] = {}

    @classmethod
    async def coalition_of(cls, runtime: Runtime, terms: dict[str, Terms]) -> Coalition:
        """Members with these terms, two wallets, and an offer of each in every currency."""
        made = Coalition(runtime)
        for name, of in terms.items():
            await made.add_member(
                name,
                role=ContractRole.BOTH,
                is_operator=name == "operator",
                currency=of.currency,
                price_micros=of.price,
                funding=Funding(of.funding),
                pooled_bps=of.pooled_bps if of.funding == "mixed" else None,
                breakage=Breakage(of.breakage),
                fee_bps=of.fee_bps,
                dispute_days=ALL_DISPUTABLE_DAYS,
            )
        await made.add_firm("acme", sponsor=None)
        async with runtime.database.begin() as session:
            session.add_all(
                Exposure(member_id=each, used_micros=0) for each in made.members.values()
            )
        for name in ("ann", "bob"):
            await made.add_participant(name, firm="acme")
        await made.activate("giftfund")
        return made

    # -- lines ------------------------------------------------------------------------------------

    async def take_rows(self, window_id: UUID, told: Sequence[Line]) -> None:
        """The rows of a window that was closed are what the oracle says, each once."""
        waiting: dict[tuple[object, ...], list[Line]] = {}
        for line in told:
            waiting.setdefault(line.content, []).append(line)
        for line_id, content in await self._rows(window_id):
            assert waiting.get(content), f"a row nobody told of: {content}"
            self.lines[waiting[content].pop()] = line_id
        assert not any(waiting.values()), waiting

    async def _rows(self, window_id: UUID) -> Sequence[tuple[LineId, tuple[object, ...]]]:
        names = {each: name for name, each in self.coalition.members.items()} | {None: None}
        async with self.runtime.database.begin() as session:
            obligations = await session.scalars(
                sa.select(Obligation)
                .where(Obligation.window_id == window_id)
                .order_by(Obligation.id)
            )
            debts = await session.scalars(
                sa.select(MemberDebt).where(MemberDebt.window_id == window_id)
            )
            return [
                (
                    LineId(row.wallet_id, row.id),
                    (
                        str(row.kind),
                        row.currency,
                        names[row.issuer_id],
                        names[row.acceptor_id],
                        str(row.funding),
                        row.funded_micros,
                        row.cost_micros,
                    ),
                )
                for row in obligations
            ] + [
                (
                    LineId(NO_WALLET, row.id),
                    (
                        "debt",
                        row.currency,
                        names[row.debtor_id],
                        names[row.creditor_id],
                        "",
                        row.amount_micros,
                        row.amount_micros,
                    ),
                )
                for row in debts
            ]

    async def owe(self, debtor: str, creditor: str, currency: str, micros: int) -> None:
        """Money outside burns."""
        debt = Debt(
            plugin="till",
            reference=str(uuid7()),
            debtor_id=self.coalition.members[debtor],
            creditor_id=self.coalition.members[creditor],
            amount_micros=micros,
            currency=currency,
            reason="",
        )
        async with self.runtime.database.begin() as session:
            await session.run_sync(owe, debt)

    async def issue(self, wallet: str, issuer: str, points: int, life: int | None) -> None:
        """Points are earned."""
        expires_at = None
        if life is not None:
            expires_at = await self.drive.later(timedelta()) + timedelta(days=life)
        await self.coalition.issue(wallet, points, issuer=issuer, expires_at=expires_at)

    # -- disputes ---------------------------------------------------------------------------------

    async def dispute(self, line: Line, by: str) -> UUID:
        """A member disputes a line."""
        asked = disputes.NewDispute(self.coalition.members[by], [self.lines[line]], "wrong")
        async with self.runtime.database.begin() as session:
            return (await disputes.open_dispute(session, asked, actor=ANNA)).id

    async def withdraw(self, dispute_id: UUID) -> None:
        """Taken back."""
        async with self.runtime.database.begin() as session:
            await disputes.withdraw(session, dispute_id, member_id=None, actor=ANNA)

    async def decide(self, dispute_id: UUID, *, upheld: bool) -> None:
        """Decided."""
        async with self.runtime.database.begin() as session:
            await disputes.decide(session, dispute_id, upheld=upheld, actor=ANNA, note="so")

    async def undo_contras(self) -> None:
        """The clock undoes what takes undone lines back once more."""
        async with self.runtime.database.begin() as session:
            await disputes.undo_contras(session)

    # -- settlements ------------------------------------------------------------------------------

    async def draft(self, windows: list[UUID], *, bilateral: bool) -> UUID:
        """Net these windows."""
        mode = Mode.BILATERAL if bilateral else Mode.MULTILATERAL
        async with self.runtime.database.begin() as session:
            return (await clearing.draft(session, windows, mode=mode, actor=ANNA)).id

    async def step(self, name: str, settlement_id: UUID) -> None:
        """`record`, `approve`, `submit` or `abort`."""
        more: dict[str, Any] = {"actor": BORIS if name == "approve" else ANNA}
        if name == "submit":
            more |= {"pay_before_collected": True, "without_account": True}
        if name == "abort":
            more |= {"note": "again"}
        async with self.runtime.database.begin() as session:
            await getattr(clearing, name)(session, settlement_id, **more)

    async def status(self, settlement_id: UUID) -> str:
        """How far it has come; with some legs booked it is still `submitted`."""
        async with self.runtime.database.begin() as session:
            found = (await repository.find(session, settlement_id)).status.value
        return "submitted" if found == "settling" else found

    async def default(self, leg: Leg, *, by_creditors: bool) -> UUID:
        """A debtor does not pay."""
        cover = Cover.CREDITORS if by_creditors else Cover.OPERATOR
        async with self.runtime.database.begin() as session:
            made = await defaulting.default(
                session, self.legs[leg], cover=cover, actor=ANNA, note="insolvent"
            )
            return made.id

    async def leg(self, name: str, leg: Leg) -> None:
        """`book`, `reject` or `return_`."""
        if name == "book":
            async with self.runtime.database.begin() as session:
                row = await repository.leg(session, self.legs[leg])
            await self.finance.book(row)
            return
        more = {"bank_account_id": BANK} if name == "return_" else {}
        async with self.runtime.database.begin() as session:
            await getattr(legs, name)(session, self.legs[leg], reason="AC04", actor=ANNA, **more)

    async def repay(self, failed: Leg, again: Leg) -> None:
        """Paid by another leg."""
        async with self.runtime.database.begin() as session:
            self.legs[again] = await legs.repay(session, self.legs[failed], actor=ANNA)

    async def read_legs(self, settlement_id: UUID) -> list[tuple[SettlementLeg, tuple[Any, ...]]]:
        """Rows of the legs of a settlement, and (currency, member, other, net, paid)."""
        names = {each: name for name, each in self.coalition.members.items()}
        async with self.runtime.database.begin() as session:
            rows = await repository.legs(session, settlement_id)
        found = []
        for row in rows:
            other = names[row.counterparty_id] if row.counterparty_id else HOUSE
            paid = row.net_micros - row.remainder_micros
            found.append((row, (row.currency, names[row.member_id], other, row.net_micros, paid)))
        return found

    # -- what is compared -------------------------------------------------------------------------

    async def positions(self, settlement_id: UUID) -> dict[tuple[str, tuple[str, str]], int]:
        """As the oracle names them; they sum to zero in each currency."""
        names = {each: name for name, each in self.coalition.members.items()}
        kinds = {"member": "member", "pool": "pool", "operator": "margin"}
        async with self.runtime.database.begin() as session:
            rows = await repository.positions(session, settlement_id)
        sums: Counter[str] = Counter()
        for row in rows:
            sums[row.currency] += row.net_micros
        assert not any(sums.values()), sums
        return {
            (row.currency, (kinds[row.party.value], names[row.member_id])): row.net_micros
            for row in rows
            if row.net_micros
        }

    async def books(self) -> dict[tuple[str, str, str], int]:
        """Balances as the oracle names them."""
        names = {each: name for name, each in self.coalition.members.items()}
        held: Counter[tuple[str, str, str]] = Counter()
        async with self.runtime.database.begin() as session:
            of_leg = {
                row.id: row.member_id for row in await session.scalars(sa.select(SettlementLeg))
            }
            for each in await books.balances(session):
                word = WORDS[each.account]
                owner = of_leg.get(each.owner, each.owner)
                name = "" if word == "bank" else names[owner]
                held[word, name, each.currency] += each.balance_micros
        return {account: micros for account, micros in held.items() if micros}

    async def used(self) -> dict[str, int]:
        """What caps count."""
        names = {each: name for name, each in self.coalition.members.items()}
        async with self.runtime.database.begin() as session:
            rows = await session.scalars(sa.select(Exposure))
            return {names[row.member_id]: row.used_micros for row in rows}
