"""Who pays whom, as a picture: a heat map (a table whose cells are shaded) and a flow diagram.

    payments = Flows(
        title=page._("Who owes whom"), currency="EUR",
        payer=page._("Owes"), payee=page._("Is owed"), amount=page._("Amount"),
        others=page._("All others"), rows=[Payment("Alpha", "Shop", 8_000_000)],
    )
    {% from "web/components/flows.html" import heat_map, sankey %}
    {{ heat_map(payments) }}{{ sankey(payments) }}

As for the charts beside it: drawn on the server, words are given as they are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

import msgspec

WIDTH: Final = 960
LABEL: Final = 250
"""Room for the names at each side."""
NODE: Final = 14
"""Width of the bar that stands for a party."""
TALL: Final = 26
"""Least distance from one party to the next, so that names do not overlap."""
PER_PARTY: Final = 46
SPREAD: Final = 12
"""Between two parties of one side."""
MOST: Final = 12
"""Parties drawn on a side; the smallest of more are drawn as one."""
SHADES: Final = 5
TONES: Final = ("deep", "warm", "told", "bad", "quiet")


class Payment(msgspec.Struct, frozen=True):
    """What one party owes another."""

    payer: str
    payee: str
    micros: int
    """Above zero, of the currency of the flows."""
    href: str = ""
    """Where it is explained."""


class Node(msgspec.Struct, frozen=True):
    """A party at one side, in units of the drawing."""

    name: str
    micros: int
    x: int
    y: int
    width: int
    height: int
    middle: int
    """Where its name is written."""


class Ribbon(msgspec.Struct, frozen=True):
    """A payment, as the outline of a band."""

    payment: Payment
    path: str
    tone: str


class Cell(msgspec.Struct, frozen=True):
    """What a row's party owes a column's."""

    micros: int
    shade: int
    """0 for nothing, else 1 to SHADES."""
    href: str


class Flows(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Payments between parties, in micros of one currency."""

    title: str
    currency: str
    payer: str
    """What payers are: heading of rows."""
    payee: str
    amount: str
    others: str
    """Name of the parties that are too small to be drawn by themselves."""
    rows: Sequence[Payment]

    def __post_init__(self) -> None:
        if any(each.micros <= 0 for each in self.rows):
            raise ValueError(f"{self.title}: a flow is above zero; turn it round")
        pairs = [(each.payer, each.payee) for each in self.rows]
        if len(set(pairs)) != len(pairs):
            raise ValueError(f"{self.title}: two flows of the same parties; add them up")

    @cached_property
    def payers(self) -> list[str]:
        """Who pays, the most first."""
        return _by_size((each.payer, each.micros) for each in self.rows)

    @cached_property
    def payees(self) -> list[str]:
        """Who is paid, the most first."""
        return _by_size((each.payee, each.micros) for each in self.rows)

    @cached_property
    def total(self) -> int:
        """All of it, in micros."""
        return sum(each.micros for each in self.rows)

    # -- the heat map --

    @cached_property
    def cells(self) -> list[tuple[str, list[Cell], int]]:
        """By payer: a cell for each of `payees`, and the sum."""
        most = max((each.micros for each in self.rows), default=1)
        found = {(each.payer, each.payee): each for each in self.rows}
        table = []
        for payer in self.payers:
            row = []
            for payee in self.payees:
                payment = found.get((payer, payee))
                if payment is None:
                    row.append(Cell(0, 0, ""))
                else:
                    # Rounded up, so that what is not nothing is shaded.
                    shade = -(-payment.micros * SHADES // most)
                    row.append(Cell(payment.micros, shade, payment.href))
            table.append((payer, row, sum(cell.micros for cell in row)))
        return table

    @property
    def payee_sums(self) -> list[int]:
        """What each of `payees` is owed in all."""
        return [
            sum(each.micros for each in self.rows if each.payee == payee) for payee in self.payees
        ]

    # -- the flow diagram --

    @property
    def width(self) -> int:
        """Of the drawing."""
        return WIDTH

    @cached_property
    def drawn(self) -> list[Payment]:
        """Payments between the parties that are drawn: the smallest of many are one."""
        left, right = set(self.payers[:MOST]), set(self.payees[:MOST])
        sums: dict[tuple[str, str], int] = {}
        hrefs: dict[tuple[str, str], str] = {}
        for each in self.rows:
            payer = each.payer if each.payer in left else self.others
            payee = each.payee if each.payee in right else self.others
            sums[payer, payee] = sums.get((payer, payee), 0) + each.micros
            hrefs[payer, payee] = each.href if self.others not in (payer, payee) else ""
        return [Payment(*pair, micros, hrefs[pair]) for pair, micros in sums.items()]

    @property
    def height(self) -> int:
        """Of the drawing: down to the last bar, or the last name."""
        lowest = [
            max(node.y + node.height, node.middle + TALL // 2)
            for side in self.nodes
            for node in side
        ]
        return max(lowest, default=0)

    @property
    def _room(self) -> int:
        """Height that the amounts share."""
        parties = max(len(self.left), len(self.right), 2)
        return parties * PER_PARTY - SPREAD * (parties - 1)

    @cached_property
    def left(self) -> list[str]:
        """Payers as they are drawn, from the top."""
        return _by_size((each.payer, each.micros) for each in self.drawn)

    @cached_property
    def right(self) -> list[str]:
        """Payees as they are drawn, from the top."""
        return _by_size((each.payee, each.micros) for each in self.drawn)

    @cached_property
    def nodes(self) -> tuple[list[Node], list[Node]]:
        """The two sides."""
        payers = dict.fromkeys(self.left, 0)
        payees = dict.fromkeys(self.right, 0)
        for each in self.drawn:
            payers[each.payer] += each.micros
            payees[each.payee] += each.micros
        return self._side(payers, LABEL), self._side(payees, WIDTH - LABEL - NODE)

    def _side(self, sums: dict[str, int], x: int) -> list[Node]:
        y, least = 0, 0
        nodes = []
        for name, micros in sums.items():
            height = self._high(micros)
            middle = max(y + height // 2, least)
            nodes.append(Node(name, micros, x, y, NODE, height, middle))
            y, least = y + height + SPREAD, middle + TALL
        return nodes

    def _high(self, micros: int) -> int:
        """The height of an amount; what is not nothing can be seen."""
        return max(micros * self._room // max(self.total, 1), 2)

    @property
    def ribbons(self) -> Iterator[Ribbon]:
        """Every payment as a band from payer to payee; of one payer in one tone."""
        payers, payees = ({node.name: node for node in side} for side in self.nodes)
        leaves = {name: node.y for name, node in payers.items()}
        arrives = {name: node.y for name, node in payees.items()}
        order = {name: at for at, name in enumerate(self.right)}
        for number, payer in enumerate(self.left):
            of_payer = [each for each in self.drawn if each.payer == payer]
            for each in sorted(of_payer, key=lambda one: order[one.payee]):
                height = self._high(each.micros)
                start, end = leaves[payer], arrives[each.payee]
                leaves[payer], arrives[each.payee] = start + height, end + height
                yield Ribbon(each, _band(start, end, height), TONES[number % len(TONES)])


def _band(start: int, end: int, height: int) -> str:
    """The outline of a band from the left side at `start` to the right side at `end`."""
    left, right, middle = LABEL + NODE, WIDTH - LABEL - NODE, WIDTH // 2
    over = f"M{left} {start}C{middle} {start} {middle} {end} {right} {end}"
    low, lower = start + height, end + height
    return f"{over}V{lower}C{middle} {lower} {middle} {low} {left} {low}Z"


def _by_size(pairs: Iterator[tuple[str, int]]) -> list[str]:
    """Names by their sums, the largest first, then by name."""
    sums: dict[str, int] = {}
    for name, micros in pairs:
        sums[name] = sums.get(name, 0) + micros
    return sorted(sums, key=lambda name: (-sums[name], name))
