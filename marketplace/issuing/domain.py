"""A file of issuances on its way: its states and what may follow which. No I/O."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from marketplace.coalition.imports import ImportReport


class UploadState(StrEnum):
    """received -> checked or bad, or done if it changes nothing; checked -> ordered -> done or bad.

    What waits may be withdrawn, unless it is being written; what fails for no fault of the file is
    given up as failed.
    """

    RECEIVED = "received"
    """It waits to be checked, or is."""
    BAD = "bad"
    """A line is wrong: nothing was issued."""
    CHECKED = "checked"
    """Every line is right; it waits for the word of a person."""
    ORDERED = "ordered"
    """It waits to be written, or is."""
    DONE = "done"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"


AT_WORK: Final = frozenset({UploadState.RECEIVED, UploadState.ORDERED})
WITHDRAWABLE: Final = frozenset({UploadState.RECEIVED, UploadState.CHECKED})


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file as its page shows it."""

    id: UUID
    member_id: UUID
    actor: str
    name: str
    file_name: str
    size_bytes: int
    state: UploadState
    read_bytes: int
    report: ImportReport | None
    attempts: int
    created_at: datetime
    finished_at: datetime | None

    @property
    def is_at_work(self) -> bool:
        """Whether something happens to it without anybody's doing."""
        return self.state in AT_WORK

    @property
    def changes_nothing(self) -> bool:
        """Whether every line of it was issued before."""
        return self.report is not None and self.report.ok and self.report.new == 0

    @property
    def is_withdrawable(self) -> bool:
        return self.state in WITHDRAWABLE
