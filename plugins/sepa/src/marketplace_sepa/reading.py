"""Reads whatever a bank sends about payments, by what it finds in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from marketplace.api import BankRecord, InvalidRequest
from marketplace_sepa import entries
from marketplace_sepa.answers import Answers
from marketplace_sepa.statements import KINDS, Statement
from marketplace_sepa.stream import Part, Unreadable, parts

REPORT: Final = "CstmrPmtStsRpt"
BLOCK: Final = "OrgnlPmtInfAndSts"
ROOTS: Final = frozenset(
    {"BkToCstmrStmt", "BkToCstmrAcctRpt", "BkToCstmrDbtCdtNtfctn", "BkToCstmrStmtV01", REPORT}
)
CONTAINERS: Final = frozenset({*KINDS, BLOCK})


class _File:
    """What is open at this place of the file."""

    def __init__(self) -> None:
        self.statement: Statement | None = None
        self.answers: Answers | None = None

    def take(self, part: Part) -> Iterator[BankRecord]:
        """What a part of the file says."""
        match part.what:
            case "begin":
                self._begin(part)
            case "end":
                yield from self._end(part)
            case _ if self.statement is not None:
                yield from self.statement.take(part)
            case _ if self.answers is not None:
                yield from self.answers.take(part)

    def _begin(self, part: Part) -> None:
        if part.tag in KINDS:
            self.statement = Statement(part.tag, part.line)
        elif part.tag == REPORT:
            self.answers = Answers()
        elif part.tag == BLOCK and self.answers is not None:
            self.answers.begin_block(part.line)

    def _end(self, part: Part) -> Iterator[BankRecord]:
        if part.tag in KINDS and self.statement is not None:
            yield from self.statement.end()
            self.statement = None
        elif part.tag == BLOCK and self.answers is not None:
            yield from self.answers.end_block()
        elif part.tag == REPORT:
            self.answers = None


def records(source: BinaryIO) -> Iterator[BankRecord]:
    """See `marketplace.api.BankReader.read`."""
    file = _File()
    for part in parts(source, ROOTS, CONTAINERS, {"TxDtls": entries.detail}):
        try:
            yield from file.take(part)
        except Unreadable as error:
            raise InvalidRequest(f"Line {part.line}: {error}.") from None
