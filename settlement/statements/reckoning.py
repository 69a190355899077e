"""What lines come to: sums, fees and dealings. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import msgspec

from marketplace.coalition.domain import BPS
from settlement.statements.domain import (
    ContractTerms,
    Dealing,
    Fee,
    Line,
    LineKind,
    Reader,
    Side,
    Sum,
    bases,
    parts,
)


def fee_of(base_micros: int, fee_bps: int) -> int:
    """The fee on what was settled: cut off at the micro; below zero where refunds outweigh."""
    fee = abs(base_micros) * fee_bps // BPS
    return fee if base_micros >= 0 else -fee


class Reckoning:
    """Adds lines up, one at a time; memory grows with members and contracts, not with lines."""

    def __init__(self, reader: Reader, contracts: Iterable[ContractTerms]) -> None:
        self.reader = reader
        self.contracts = {each.contract: each for each in contracts}
        self.lines = 0
        self.dealings: dict[tuple[str, str | None, Side, LineKind], Dealing] = {}
        self.adjustments: list[Line] = []
        """Of settled lines, each named; there are as many as disputes."""
        self._sums: dict[str, Sum] = {}
        self._bases: dict[tuple[UUID, str, Side, str], int] = {}

    def add(self, line: Line) -> None:
        """Count a line in. A frozen one is counted, but is in no sum."""
        self.lines += 1
        total = self._sums.setdefault(line.currency, Sum(currency=line.currency))
        total.lines += 1
        if line.frozen:
            total.frozen += 1
            return
        if line.kind is LineKind.ADJUSTMENT:
            self.adjustments.append(line)
        owes, owed = parts(line)
        points = 0 if line.shared else line.points
        total.points += points
        total.owes_micros += owes
        total.owed_micros += owed
        total.pool_micros += line.pool_micros
        total.margin_micros += line.margin_micros
        key = (line.currency, line.counterparty, line.side, line.kind)
        dealing = self.dealings.setdefault(key, Dealing())
        dealing.count += 1
        dealing.points += points
        dealing.owes_micros += owes
        dealing.owed_micros += owed
        for contract, side, base in bases(line):
            at = (line.window, contract, side, line.currency)
            self._bases[at] = self._bases.get(at, 0) + base

    def fees(self) -> list[Fee]:
        """Fees by window, contract, side and currency; those that are zero by their rate are left
        out.
        """
        return [
            Fee(
                window=window,
                contract=reference,
                side=side,
                member=self.contracts[reference].member,
                currency=currency,
                base_micros=base,
                fee_bps=self.contracts[reference].fee_bps,
                fee_micros=fee_of(base, self.contracts[reference].fee_bps),
            )
            for (window, reference, side, currency), base in sorted(self._bases.items())
            if self.contracts[reference].fee_bps
        ]

    def sums(self) -> list[Sum]:
        """What it comes to by currency, fees included."""
        found = {key: msgspec.structs.replace(self._sums[key]) for key in sorted(self._sums)}
        for fee in self.fees():
            if fee.member == self.reader.slug:
                found[fee.currency].fee_micros += fee.fee_micros
            if self.reader.is_operator:
                found[fee.currency].margin_micros += fee.fee_micros
        for each in found.values():
            each.net_micros = each.owed_micros - each.owes_micros - each.fee_micros
        return list(found.values())
