"""Lines as CSV that spreadsheets read (RFC 4180, UTF-8 with its mark, decimal points)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from decimal import Decimal
from typing import IO, Final

from marketplace.money import DECIMALS, decimal_from_micros
from marketplace.web.spreadsheets import safe
from settlement.statements.domain import ContractTerms, Line, bases, parts

MARK: Final = b"\xef\xbb\xbf"
RATE_DECIMALS: Final = 4
"""Of a share in basis points."""
COLUMNS: Final = (
    "line", "kind", "window", "at", "side", "counterparty", "burn", "lot", "issuance", "points",
    "shared", "contract", "acceptor_contract", "currency", "owes", "owed", "fee", "pool", "margin",
    "plugin", "reference", "undoes", "reason", "frozen",
)  # fmt: skip


class LineTable:
    """Writes lines as rows, however many."""

    def __init__(self, file: IO[bytes], contracts: Iterable[ContractTerms]) -> None:
        self._rates = {each.contract: each.fee_bps for each in contracts}
        file.write(MARK)
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._rows = csv.writer(self._text)
        self._rows.writerow(COLUMNS)

    def write(self, line: Line, *, frozen: bool) -> None:
        """One row. The fee is exact, with ten decimals at most; it is rounded once, by contract."""
        owes, owed = parts(line)
        words = (line.plugin, line.reference, line.undoes, line.reason)
        self._rows.writerow(
            [
                *(line.line, line.kind.value, line.window, line.at.isoformat(), line.side.value),
                *(safe(line.counterparty or ""), line.burn or "", line.lot or ""),
                *(safe(line.issuance or ""), line.points, "yes" if line.shared else ""),
                *(safe(line.contract or ""), safe(line.acceptor_contract or ""), line.currency),
                *(decimal_from_micros(owes), decimal_from_micros(owed), self._fee(line)),
                decimal_from_micros(line.pool_micros),
                decimal_from_micros(line.margin_micros),
                *(safe(each or "") for each in words),
                "yes" if frozen else "",
            ]
        )

    def _fee(self, line: Line) -> str:
        exact = sum(base * self._rates[contract] for contract, _, base in bases(line))
        return f"{Decimal(exact).scaleb(-DECIMALS - RATE_DECIMALS):f}" if exact else "0.00"

    def close(self) -> None:
        """Leave the file itself open."""
        self._text.flush()
        self._text.detach()
