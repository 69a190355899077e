"""What everybody owes, told by plain loops over what has happened. Imports nothing of the product.

Amounts are integer micros. Points of a burn are looked at one by one. A party is a pair:
`("member", name)`, `("pool", name)` or `("margin", OPERATOR)`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

OPERATOR = "operator"
GRACE_DAYS = 30

Party = tuple[str, str]
Payment = tuple[str, Party, Party, int]
"""Currency, payer, payee, micros."""


def towards_zero(exact: Fraction) -> int:
    """The whole part."""
    return int(exact)


@dataclass(frozen=True)
class Terms:
    """What a member agreed to."""

    currency: str
    price: int
    funding: str
    """`redemption`, `issuance` or `mixed`."""
    pooled_bps: int
    breakage: str
    """Who gets the money of expired points: `operator`, `issuer` or `shared`."""
    fee_bps: int

    @property
    def pooled(self) -> int:
        """Micros of a point that are paid when it is issued."""
        share = {"redemption": 0, "issuance": 10_000, "mixed": self.pooled_bps}[self.funding]
        return towards_zero(Fraction(self.price * share, 10_000))


@dataclass(eq=False)
class Lot:
    """Points of one issue."""

    issuer: str
    left: int
    dies_on: float | None

    def lives(self, today: float) -> bool:
        return self.dies_on is None or self.dies_on > today


@dataclass(eq=False)
class Burn:
    """Points that were given for a reward, numbered; each knows its lot."""

    wallet: str
    acceptor: str
    currency: str
    cost: int
    numbered: list[Lot]
    kept: int = 0
    """How many were captured and not given back."""
    held: bool = True


@dataclass(eq=False)
class Line:
    """One thing that is owed for one reason."""

    window: int
    kind: str
    currency: str
    payer: str
    """The issuer, or the debtor."""
    payee: str | None
    funding: str = ""
    funded: int = 0
    cost: int = 0
    origin: Line | None = None
    """The line that an adjustment undoes."""
    points: tuple[Burn, Lot] | None = None
    """Which points a capture or a refund is of."""
    undone: bool = False
    """Whether a dispute about it was upheld, or about the line that it takes back."""

    @property
    def content(self) -> tuple[object, ...]:
        """What a row of it must say."""
        return (
            self.kind,
            self.currency,
            self.payer,
            self.payee,
            self.funding,
            self.funded,
            self.cost,
        )

    def payments(self) -> list[Payment]:
        """Who pays whom because of it; below zero the other way round."""
        member, pool = ("member", self.payer), ("pool", self.payer)
        if self.kind == "debt":
            assert self.payee is not None
            return [(self.currency, member, ("member", self.payee), self.funded)]
        if self.kind == "issuance":
            return [(self.currency, member, pool, self.funded)]
        source = pool if self.funding == "issuance" else member
        rest = self.funded - self.cost
        found = [(self.currency, source, ("margin", OPERATOR), rest)]
        if self.payee is not None:
            found.append((self.currency, source, ("member", self.payee), self.cost))
        return found

    def charged(self) -> list[tuple[str, str, int]]:
        """Who pays a fee, on which side, and on what."""
        if self.kind not in ("capture", "refund"):
            return []
        assert self.payee is not None
        return [(self.payer, "issuer", self.funded), (self.payee, "acceptor", self.cost)]


@dataclass
class World:
    """Everything that has happened, as far as points and debts go."""

    terms: dict[str, Terms]
    """By member, in the order in which they joined."""
    wallets: dict[str, list[Lot]] = field(default_factory=dict)
    burns: list[Burn] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    window: int = 0
    """The one that is open."""
    today: float = 0

    # -- points -----------------------------------------------------------------------------------

    def issue(self, wallet: str, issuer: str, points: int, life: int | None) -> None:
        """Somebody earns points."""
        dies_on = None if life is None else self.today + life
        self.wallets[wallet].append(Lot(issuer, points, dies_on))
        pooled = self.terms[issuer].pooled
        if pooled:
            self._line("issuance", issuer, None, "issuance", points * pooled, 0)

    def burn(
        self, wallet: str, acceptor: str, currency: str, points: int, cost: int
    ) -> Burn | None:
        """Take points, soonest to die first; None where there are too few."""
        live = [
            lot
            for lot in self.wallets[wallet]
            if lot.lives(self.today) and self.terms[lot.issuer].currency == currency
        ]
        live.sort(key=lambda lot: (lot.dies_on is None, lot.dies_on or 0))
        numbered: list[Lot] = []
        for lot in live:
            for _ in range(lot.left):
                if len(numbered) < points:
                    numbered.append(lot)
        if len(numbered) < points:
            return None
        for lot in numbered:
            lot.left -= 1
        made = Burn(wallet, acceptor, currency, cost, numbered)
        self.burns.append(made)
        return made

    def capture(self, burn: Burn) -> None:
        """The reward is delivered."""
        burn.held, burn.kept = False, len(burn.numbered)
        self._owe_for(burn, 0, burn.kept, "capture", 1)

    def refund(self, burn: Burn, points: int) -> None:
        """The last points go back to where they came from, though it was settled long ago."""
        self.sweep(burn.wallet)
        first, burn.kept = burn.kept - points, burn.kept - points
        self._owe_for(burn, first, first + points, "refund", -1)
        for lot in burn.numbered[first : first + points]:
            lot.left += 1
            if not lot.lives(self.today):
                lot.dies_on = self.today + GRACE_DAYS

    def sweep(self, *wallets: str) -> None:
        """What has expired is gone, and its money goes where the contract says."""
        for wallet in wallets:
            for lot in self.wallets[wallet]:
                if lot.left and not lot.lives(self.today):
                    self._expire(lot)

    def _expire(self, lot: Lot) -> None:
        terms = self.terms[lot.issuer]
        freed = lot.left * terms.pooled
        lot.left = 0
        if not freed:
            return
        half = towards_zero(Fraction(freed, 2))
        own = {"operator": 0, "issuer": freed, "shared": half}[terms.breakage]
        self._line("expiry", lot.issuer, lot.issuer if own else None, "issuance", freed, own)

    def _owe_for(self, burn: Burn, first: int, last: int, kind: str, sign: int) -> None:
        """Lines for the points `first` to `last` of a burn: by lot, and by who pays."""
        pieces: dict[Lot, dict[str, list[int]]] = {}
        for number in range(first, last):
            lot = burn.numbered[number]
            terms = self.terms[lot.issuer]
            until = [Fraction(burn.cost * n, len(burn.numbered)) for n in (number, number + 1)]
            whole = [towards_zero(each) for each in until]
            of_pool = [towards_zero(Fraction(each * terms.pooled, terms.price)) for each in whole]
            cost, pooled_cost = whole[1] - whole[0], of_pool[1] - of_pool[0]
            piece = pieces.setdefault(lot, {"issuance": [0, 0], "redemption": [0, 0]})
            piece["issuance"][0] += terms.pooled
            piece["issuance"][1] += pooled_cost
            piece["redemption"][0] += terms.price - terms.pooled
            piece["redemption"][1] += cost - pooled_cost
        for lot, piece in pieces.items():
            for funding, (funded, cost) in piece.items():
                if funded:
                    money = (funding, sign * funded, sign * cost)
                    made = self._line(kind, lot.issuer, burn.acceptor, *money)
                    made.points = (burn, lot)

    def _line(
        self, kind: str, payer: str, payee: str | None, funding: str, funded: int, cost: int
    ) -> Line:
        currency = self.terms[payer].currency
        made = Line(self.window, kind, currency, payer, payee, funding, funded, cost)
        self.lines.append(made)
        return made

    # -- debts ------------------------------------------------------------------------------------

    def owe(
        self, debtor: str, creditor: str, currency: str, micros: int, origin: Line | None = None
    ) -> None:
        """Money between members outside burns."""
        made = Line(self.window, "debt", currency, debtor, creditor, "", micros, micros, origin)
        self.lines.append(made)

    def uphold(self, line: Line) -> None:
        """A member was right: the line is undone, and whatever took it back before."""
        self._undo(line)
        self.undo_refunds()

    def undo_refunds(self) -> int:
        """What was undone is not taken back once more: refunds of it are undone too, once."""
        captures = [each for each in self.lines if each.kind == "capture" and each.undone]
        undone = {(each.points, each.funding) for each in captures}
        found = [
            each
            for each in self.lines
            if each.kind == "refund" and not each.undone and (each.points, each.funding) in undone
        ]
        for each in found:
            self._undo(each)
        return len(found)

    def _undo(self, line: Line) -> None:
        """Everybody is put where he was, by debts of today. Nobody is told what an acceptor was
        paid: it gives it back to the operator, who gives the payer all it paid."""
        if line.undone:
            return
        line.undone = True
        paid = [(payee[1], micros) for _, _, payee, micros in line.payments()]
        if line.kind == "debt":
            back = [(who, line.payer, micros) for who, micros in paid]
        else:
            back = [(who, OPERATOR, micros) for who, micros in paid]
            back.append((OPERATOR, line.payer, sum(micros for _, micros in paid)))
        for who, _, base in line.charged():
            back.append((OPERATOR, who, self.fee(who, base)))
        for debtor, creditor, micros in back:
            if micros < 0:
                debtor, creditor = creditor, debtor
            if micros and debtor != creditor:
                self.owe(debtor, creditor, line.currency, abs(micros), line)

    def fee(self, member: str, base: int) -> int:
        """What the operator charges on an amount."""
        return towards_zero(Fraction(base * self.terms[member].fee_bps, 10_000))

    # -- questions --------------------------------------------------------------------------------

    def of_window(self, window: int) -> list[Line]:
        return [line for line in self.lines if line.window == window]

    def payments(self, lines: list[Line]) -> list[Payment]:
        """Who pays whom because of these lines; a fee per window, member, side and currency."""
        found = [payment for line in lines for payment in line.payments()]
        bases: Counter[tuple[int, str, str, str]] = Counter()
        for line in lines:
            for who, side, base in line.charged():
                bases[line.window, who, side, line.currency] += base
        for (_, who, _, currency), base in bases.items():
            found.append((currency, ("member", who), ("margin", OPERATOR), self.fee(who, base)))
        return found

    def nets(self, lines: list[Line]) -> dict[tuple[str, Party], int]:
        """What everybody is owed by currency; nobody who comes out even."""
        nets: Counter[tuple[str, Party]] = Counter()
        for currency, payer, payee, micros in self.payments(lines):
            nets[currency, payer] -= micros
            nets[currency, payee] += micros
        return {who: net for who, net in nets.items() if net}
