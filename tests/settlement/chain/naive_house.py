"""What a clearing house would do, told by plain loops. Imports nothing of the product."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from tests.settlement.chain.naive import OPERATOR, Line, World

CENT = {"EUR": 10_000, "JPY": 1_000_000}
"""Micros of the smallest coin."""
SENT_OFF = ("submitted", "settling", "settled")
HOUSE = "house"
"""Who pools pay and are paid by."""

Key = tuple[str, str, str]
"""Currency, member, and who is at the other end."""


@dataclass(eq=False)
class Leg:
    """A payment; `net` above zero is paid to the member."""

    currency: str
    member: str
    other: str
    """HOUSE, or the creditor."""
    net: int
    paid: int
    """What is really paid, in whole coins, signed."""
    status: str = "planned"
    again: Leg | Stand | None = None
    """What pays it instead."""


@dataclass(eq=False)
class Stand:
    """A leg of nothing that stands for one that failed: it counts once it is approved."""

    approved: bool = False


@dataclass(eq=False)
class Settlement:
    """Windows that are paid."""

    windows: list[int]
    lines: list[Line]
    nets: dict[tuple[str, tuple[str, str]], int]
    legs: list[Leg]
    bilateral: bool = False
    status: str = "pending"
    covers: Leg | None = None
    """The leg of a debtor that failed, for an exceptional one."""
    owed: list[Line] = field(default_factory=list)
    """What that debtor owes those who pay, once it is approved."""
    stand: Stand = field(default_factory=Stand)

    @property
    def live(self) -> bool:
        return self.status != "aborted"

    @property
    def vouched(self) -> bool:
        """Whether it is in the books."""
        return self.status not in ("pending", "aborted")

    def progress(self) -> None:
        """Settled once every leg is."""
        if self.status in SENT_OFF and all(map(done, self.legs)):
            self.status = "settled"


def done(leg: Leg) -> bool:
    """Whether nothing is left to do for a leg of its settlement."""
    if leg.status in ("rejected", "returned"):
        return leg.again.approved if isinstance(leg.again, Stand) else leg.again is not None
    return leg.status == "booked"


def in_coins(net: int, currency: str) -> int:
    """Rounded to whole coins, a half to the even one."""
    return round(Fraction(net, CENT[currency])) * CENT[currency]


def leg(key: Key, net: int) -> Leg:
    """A leg of nothing is done from the start."""
    paid = in_coins(net, key[0])
    return Leg(*key, net, paid, "planned" if paid else "booked")


@dataclass
class House:
    """Every settlement, and every dispute."""

    world: World
    closed: list[int] = field(default_factory=list)
    """Windows that no live settlement covers, oldest first."""
    settlements: list[Settlement] = field(default_factory=list)
    disputed: dict[Line, str] = field(default_factory=dict)
    """How a dispute of a line stands: `open`, `upheld`, `rejected` or `withdrawn`."""

    # -- windows ----------------------------------------------------------------------------------

    def close(self) -> int:
        """Close the open window; one with nothing in it needs nothing more, unless something waits
        for the next settlement."""
        window = self.world.window
        if self.world.of_window(window) or any(self._takes(line, []) for line in self.world.lines):
            self.closed.append(window)
        self.world.window += 1
        return window

    def holder(self, line: Line) -> list[Settlement]:
        """The live settlements that settle a line."""
        return [each for each in self.settlements if each.live and line in each.lines]

    def covered(self) -> set[int]:
        """Windows of live settlements."""
        return {window for each in self.settlements if each.live for window in each.windows}

    # -- settlements ------------------------------------------------------------------------------

    def draft(self, count: int, *, bilateral: bool) -> Settlement:
        """Net the oldest closed windows without disputed lines, and what was left out before."""
        windows, self.closed = self.closed[:count], self.closed[count:]
        lines = [line for line in self.world.lines if self._takes(line, windows)]
        parties = self._parties(lines, windows)
        legs = self._pairs(lines) if bilateral else self._each(lines, parties)
        made = Settlement(windows, lines, self.world.nets(lines), legs, bilateral)
        self.settlements.append(made)
        return made

    def _takes(self, line: Line, windows: list[int]) -> bool:
        if self.holder(line) or self.disputed.get(line) == "open":
            return False
        if line.window in windows:
            return True
        covered = self.covered()
        undone = [each.window for each in self.world.lines if each.origin is line]
        return line.window in covered and all(each in covered | {*windows} for each in undone)

    def _parties(self, lines: list[Line], windows: list[int]) -> set[tuple[str, str]]:
        """Currency and name of everybody who took part, the operator too."""
        found: set[tuple[str, str]] = set()
        for line in self.world.lines:
            if line in lines or line.window in windows:
                names = {line.payer, line.payee, OPERATOR} - {None}
                found |= {(line.currency, name) for name in names if name}
        return found

    def _each(self, lines: list[Line], parties: set[tuple[str, str]]) -> list[Leg]:
        nets: Counter[tuple[str, str]] = Counter()
        for (currency, (kind, name)), net in self.world.nets(lines).items():
            if kind != "pool":
                nets[currency, name] += net
        return [leg((*party, HOUSE), nets[party]) for party in sorted(parties)]

    def _pairs(self, lines: list[Line]) -> list[Leg]:
        nets: Counter[Key] = Counter()
        for currency, payer, payee, micros in self.world.payments(lines):
            one, other = (HOUSE if kind == "pool" else name for kind, name in (payer, payee))
            if one == other:
                continue
            # Debtor first, for now: whoever it turns out to be.
            if (currency, other, one) in nets or one == HOUSE:
                nets[currency, other, one] += micros
            else:
                nets[currency, one, other] -= micros
        found = []
        for (currency, one, other), net in nets.items():
            if other != HOUSE and net > 0:
                one, other, net = other, one, -net
            found.append(leg((currency, one, other), net))
        return found

    def abort(self, settlement: Settlement) -> None:
        """Its windows can be settled by another."""
        settlement.status = "aborted"
        self.closed = sorted([*self.closed, *settlement.windows])
        if settlement.covers is not None:
            settlement.covers.again = None

    def default(self, of: Settlement, failed: Leg, by_creditors: bool) -> Settlement | None:
        """Others pay for a debtor; None where there is nobody."""
        coin = CENT[failed.currency]
        payers: dict[str, int] = {}
        if not by_creditors:
            payers[OPERATOR] = 1
        else:
            for each in of.legs:
                creditor = each.paid > 0 and each.member != failed.member
                if creditor and each.currency == failed.currency and not self._repays(of, each):
                    payers[each.member] = payers.get(each.member, 0) + each.paid // coin
        if not payers or payers.keys() == {failed.member}:
            return None
        coins = -failed.paid // coin
        exact = {
            who: Fraction(coins * share, sum(payers.values())) for who, share in payers.items()
        }
        shares = {who: int(share) for who, share in exact.items()}
        order = list(self.world.terms)
        by_rest = sorted(exact, key=lambda who: (shares[who] - exact[who], order.index(who)))
        for who in by_rest[: coins - sum(shares.values())]:
            shares[who] += 1
        nets: dict[tuple[str, tuple[str, str]], int] = {}
        legs = [Leg(failed.currency, failed.member, HOUSE, 0, 0, "booked")]
        for who, share in shares.items():
            if share:
                nets[failed.currency, ("member", who)] = -share * coin
                legs.append(leg((failed.currency, who, HOUSE), -share * coin))
        nets[failed.currency, ("member", failed.member)] = coins * coin
        made = Settlement([], [], nets, legs, covers=failed)
        failed.again = made.stand
        self.settlements.append(made)
        return made

    def _repays(self, of: Settlement, leg: Leg) -> bool:
        return any(each.again is leg for each in of.legs)

    def approve(self, settlement: Settlement) -> None:
        """A second person; of an exceptional one the debtor owes those who pay from here on."""
        settlement.status, settlement.stand.approved = "approved", True
        failed = settlement.covers
        if failed is None:
            return
        order = list(self.world.terms)
        for each in sorted(settlement.legs, key=lambda leg: order.index(leg.member)):
            if each.net:
                self.world.owe(failed.member, each.member, each.currency, -each.net)
                settlement.owed.append(self.world.lines[-1])
        for origin in self.settlements:
            if failed in origin.legs:
                origin.progress()

    def submit(self, settlement: Settlement) -> None:
        """Sent off: its legs go."""
        settlement.status = "submitted"
        for each in settlement.legs:
            if each.status == "planned" and each.other != HOUSE:
                each.status = "submitted"
        settlement.progress()

    def repay(self, settlement: Settlement, failed: Leg) -> Leg:
        """Another leg for one that failed."""
        made = Leg(failed.currency, failed.member, failed.other, failed.net, failed.paid)
        failed.again = made
        settlement.legs.append(made)
        return made

    # -- questions --------------------------------------------------------------------------------

    def books(self) -> dict[tuple[str, str, str], int]:
        """What every account holds: kind, name, currency."""
        held: Counter[tuple[str, str, str]] = Counter()
        for each in self.settlements:
            if not each.vouched:
                continue
            for (currency, (kind, name)), net in each.nets.items():
                if kind == "pool":
                    held["pool", name, currency] += net
                else:
                    held["due", name, currency] += net
            for one in each.legs:
                if self._repays(each, one):
                    self._move(held, one, one.status)
                    continue
                remainder = one.net - one.paid
                held["due", one.member, one.currency] -= remainder
                if one.other == HOUSE:
                    held["rounding", OPERATOR, one.currency] += remainder
                else:
                    held["due", one.other, one.currency] += remainder
                self._move(held, one, one.status)
        return {account: micros for account, micros in held.items() if micros}

    def _move(self, held: Counter[tuple[str, str, str]], leg: Leg, status: str) -> None:
        """Where the money of a leg is: due, on its way, or moved."""
        if status not in ("submitted", "booked"):
            return
        held["due", leg.member, leg.currency] -= leg.paid
        if status == "submitted":
            held["transit", leg.member, leg.currency] += leg.paid
        elif leg.other == HOUSE:
            held["bank", "", leg.currency] += leg.paid
        else:
            held["due", leg.other, leg.currency] += leg.paid

    def used(self) -> dict[str, int]:
        """What counts against the cap of each issuer: what is held, what was captured and is in no
        settlement that is settled, and what such a settlement is still to be paid."""
        used = self._unpaid()
        for burn in self.world.burns:
            if burn.held:
                for lot in burn.numbered:
                    used[lot.issuer] += self.world.terms[lot.issuer].price
        for line in self.world.lines:
            if line.kind in ("capture", "refund") and not self._settled(line):
                used[line.payer] += line.funded
        return {name: used[name] for name in self.world.terms}

    def _settled(self, line: Line) -> bool:
        return any(each.status == "settled" for each in self.holder(line))

    def _unpaid(self) -> Counter[str]:
        """What debtors of settled settlements have not paid: it came back, or others paid it. No
        more of it than what was settled of their burns, or of what others had paid before."""
        used: Counter[str] = Counter()
        for each in self.settlements:
            if each.status != "settled":
                continue
            for last in [leg for leg in each.legs if not isinstance(leg.again, Leg)]:
                room = max(self._stake(each, last.member, last.currency), 0)
                if last.net >= 0 or last.status == "booked":
                    continue
                owed = self._owed_for(last)
                if owed is None:
                    used[last.member] += min(-last.paid, room)
                for line in owed or []:
                    part = min(line.funded, room)
                    room -= part
                    used[last.member] += 0 if self._settled(line) else part
        return used

    def _owed_for(self, failed: Leg) -> list[Line] | None:
        """What a debtor owes to those who paid; None where nobody has to."""
        for each in self.settlements:
            if each.covers is failed and failed.again is each.stand and each.stand.approved:
                return each.owed
        return None

    def _stake(self, of: Settlement, name: str, currency: str) -> int:
        defaults = [line for each in self.settlements for line in each.owed]
        own = self.world.terms[name].currency == currency
        return sum(
            line.funded
            for line in of.lines
            if line.payer == name
            and line.currency == currency
            and (line.kind in ("capture", "refund") or (own and line in defaults))
        )
