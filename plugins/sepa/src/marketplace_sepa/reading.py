"""Reads whatever a bank sends about payments, by what it finds in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from marketplace.api import BankRecord, InvalidRequest
from marketplace_sepa import entries
from marketplace_sepa.answers import Answers
from marketplace_sepa.statements import KINDS, Page, Statement, page
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
        self._page = Page()
        self._held: Statement | None = None
        """A statement whose next page may come."""

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
            case _ if part.tag == "GrpHdr":
                pages = part.tree.find("MsgPgntn")
                self._page = Page() if pages is None else page(pages)

    def end(self) -> Iterator[BankRecord]:
        """What is known at the end of the file."""
        if self._held is not None:
            yield from self._held.end()

    def _begin(self, part: Part) -> None:
        if part.tag in KINDS:
            self.statement = Statement(part.tag, part.line, self._page, self._held)
            self._held = None
        elif part.tag == REPORT:
            self.answers = Answers()
        elif part.tag == BLOCK and self.answers is not None:
            self.answers.begin_block(part.line)

    def _end(self, part: Part) -> Iterator[BankRecord]:
        if part.tag in KINDS and self.statement is not None:
            if self.statement.goes_on:
                yield from self.statement.start()
                self._held = self.statement
            else:
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
    yield from file.end()
