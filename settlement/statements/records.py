"""The signed form: a JSON array with one record a line, each holding the digest of the one before.

docs/statements.md tells it to whoever writes a verifier; `verify.py` is ours and shares no code
with this file.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import IO, Any, Final, Protocol
from uuid import UUID

import msgspec

from marketplace.house_key import ALGORITHM
from settlement.statements.domain import ContractTerms, Fee, LegTold, Line, Sum

FORMAT: Final = 1
PURPOSE: Final = b"marketplace settlement statement"

_encoder: Final = msgspec.json.Encoder()


class Told(msgspec.Struct, frozen=True):
    """The member a statement is for."""

    slug: str
    name: str


class WindowTold(msgspec.Struct, frozen=True):
    """A window that a statement is of."""

    window: UUID
    opened_at: datetime
    closed_at: datetime


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement says before its lines; kept when it is issued, so that names which change
    later change no statement.
    """

    member: Told
    operator: str
    """Slug of the operator."""
    subject: str
    """`window` or `settlement`."""
    reference: str
    """The window's id, or the settlement's reference."""
    windows: list[WindowTold]
    mode: str | None
    """Of a settlement: who pays whom."""
    contracts: list[ContractTerms]
    legs: list[LegTold]
    """Of a settlement."""
    frozen: list[str]
    """Lines that were under dispute when the settlement was made; not in its sums."""
    taken_in: list[str]
    """Lines of earlier windows that this settlement settles, for they were under dispute then."""


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """What one statement is among those of its member."""

    number: int
    """Counts the member's statements from 1, in the order in which they were issued."""
    prior_sha256: str | None
    """Digest of the last record of the statement before."""


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """What stands at the end of a statement."""

    sha256: str
    """Digest of the last record: what the member's next statement begins with."""
    public_key: str
    signature: str


class Signer(Protocol):
    """The house's key, or a signature that it gave before."""

    @property
    def public_text(self) -> str:
        """Base64 of the public key."""
        ...

    def sign(self, message: bytes) -> str:
        """Base64 of the signature."""
        ...


class KeptSignature(msgspec.Struct, frozen=True):
    """The signature with which a statement was issued, for making it again after years."""

    public_text: str
    value: str

    def sign(self, message: bytes) -> str:
        """The signature that was given; whether it fits is told by the digest."""
        return self.value


class RecordWriter:
    """Writes records one after the other; holds none of them."""

    def __init__(self, file: IO[bytes], prior: str | None) -> None:
        self._file = file
        self._prior = prior
        self._last = b""
        self._begun = False

    def write(self, record: str, content: object) -> None:
        """Write a record of this name: its fields come after `record` and `prior`."""
        head = _encoder.encode({"record": record, "prior": self._prior})
        body = _encoder.encode(content)
        self._last = head[:-1] + b"," + body[1:] if body != b"{}" else head
        self._file.write((b",\n" if self._begun else b"[\n") + self._last)
        self._begun = True
        self._prior = hashlib.sha256(self._last).hexdigest()

    def seal(self, key: Signer) -> Sealed:
        """Sign the record that was written last, and end the file."""
        value = key.sign(self._last)
        public = key.public_text
        signature = {"algorithm": ALGORITHM, "public_key": public, "value": value}
        self.write("signature", signature)
        self._file.write(b"\n]\n")
        return Sealed(sha256=str(self._prior), public_key=public, signature=value)


def begin(file: IO[bytes], issue: Issue, head: Head) -> RecordWriter:
    """Write all that stands before the lines."""
    writer = RecordWriter(file, issue.prior_sha256)
    writer.write(
        "statement",
        {
            "format": FORMAT,
            "number": issue.number,
            "member": head.member,
            "operator": head.operator,
            "subject": head.subject,
            "reference": head.reference,
            "mode": head.mode,
        },
    )
    for window in head.windows:
        writer.write("window", window)
    for contract in head.contracts:
        writer.write("contract", contract)
    return writer


def line_content(line: Line) -> dict[str, Any]:
    """The fields of a line that say something, in order."""
    return {
        name: str(value) if isinstance(value, UUID) else value
        for name in Line.__struct_fields__
        if (value := getattr(line, name)) is not None
    }


def end(
    writer: RecordWriter,
    *,
    lines: int,
    fees: list[Fee],
    sums: list[Sum],
    legs: list[LegTold],
    key: Signer,
) -> Sealed:
    """Write what the lines come to, the legs that settle it, and the signature."""
    for fee in fees:
        writer.write("fee", fee)
    for each in sums:
        writer.write("sum", each)
    for leg in legs:
        writer.write("leg", leg)
    writer.write("end", {"lines": lines})
    return writer.seal(key)
