"""What is found in a statement."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_FAULTS = 20
"""Faults that are spelt out; the others are counted."""


@dataclass
class Sums:
    """What the lines of one currency come to, by our own reckoning."""

    lines: int = 0
    frozen: int = 0
    points: int = 0
    owes_micros: int = 0
    owed_micros: int = 0
    fee_micros: int = 0
    pool_micros: int = 0
    margin_micros: int = 0

    @property
    def net_micros(self) -> int:
        return self.owed_micros - self.owes_micros - self.fee_micros


@dataclass
class Verified:
    """What was found in one file."""

    name: str
    member: str = ""
    number: int = 0
    subject: str = ""
    reference: str = ""
    prior: str | None = None
    """Digest of the statement before, as this one says."""
    digest: str = ""
    """Of the last record: what the next statement has to say."""
    public_key: str = ""
    lines: int = 0
    nets: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    more: int = 0
    """Faults that are not spelt out."""

    def fault(self, text: str) -> None:
        """Note what is wrong."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(text)
        else:
            self.more += 1

    @property
    def right(self) -> bool:
        return not self.faults
