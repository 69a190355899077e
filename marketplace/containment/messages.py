"""What worker and plugin process say to each other: msgpack with a length in front, never pickled.

The worker trusts nothing that comes back: lengths are bounded before they are read, and every
answer is decoded to the type it must have.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from typing import Any, Literal, TypeAlias, TypeVar
from uuid import UUID

import msgspec

from marketplace import api
from marketplace.contract.judging import LONGEST_WORDS, Malformed

MOST_REPLY_BYTES = 64 * 1_048_576
"""Longest reply of a process; a longer one ends the process."""
MOST_ANSWER_BYTES = 2_000_000
"""Longest answer to one order; a longer one is a fault of that order alone."""
LENGTH = struct.Struct("!Q")
PIECE = 1_048_576
ARRAY = struct.Struct("!BI")
ARRAY_MARK = 0xDD
"""Begins an array in msgpack; the number of its elements follows."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a process that was forked makes its own first; a fresh interpreter is started so."""

    variables: dict[bytes, bytes]
    """All of its environment."""
    directory: bytes
    """That it works in."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is started with."""

    slug: str
    """Empty: a process that looks at one plugin after another (`Probe`)."""
    database_url: str | None
    """None: the embedded server of `var_dir`."""
    var_dir: str
    database_role: str | None
    secret_keys: str
    outbound_allow: str
    """As in the settings: where its calls to addresses of partners may go besides."""
    refund_grace_days: int
    log_level: str
    memory_mb: int
    cpu_s: int
    open_files: int
    processes: int
    statement_s: float


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Call `fulfil` or `lookup`."""

    method: Literal["fulfil", "lookup"]
    orders: list[api.Order]


class RunTask(msgspec.Struct, frozen=True, tag="task"):
    """Run a periodic task."""

    name: str


class Told(msgspec.Struct, frozen=True):
    """A fact for the observers of one hook."""

    hook: str
    fact: bytes
    """msgpack of the hook's Struct."""


class Tell(msgspec.Struct, frozen=True, tag="tell"):
    """Tell observers."""

    facts: list[Told]


class Describe(msgspec.Struct, frozen=True, tag="describe"):
    """Ask the describer of this number about offers."""

    number: int
    offer_ids: list[UUID]
    language: str


class AskRule(msgspec.Struct, frozen=True, tag="rule"):
    """Ask an eligibility rule."""

    name: str
    who: api.Who
    offer_reference: str


class SendNotices(msgspec.Struct, frozen=True, tag="notices"):
    """Call `send` of the notifier of a channel."""

    channel: str
    notices: list[api.Notice]


class AskHealth(msgspec.Struct, frozen=True, tag="health"):
    """Call `health`."""


RailMethod: TypeAlias = Literal["check_account", "house_now", "submit", "lookup", "files", "health"]


class AskRail(msgspec.Struct, frozen=True, tag="rail"):
    """Call a method of the rail, with those of the others that it takes; answered `RailAnswer`."""

    method: RailMethod
    legs: list[api.Leg] = []
    batch: api.Batch | None = None
    account: Any = None


class ReadBank(msgspec.Struct, frozen=True, tag="read_bank"):
    """Read a bank's file with the rail; answered `RailAnswer` of how many records there are.

    They are too many for a message: the process writes them, a line of JSON each.
    """

    source: str
    """Path of the bank's file."""
    records: str
    """Path of a file to write."""


class NextStatement(msgspec.Struct, frozen=True, tag="next_statement"):
    """Have the rail write a statement of its bank's; answered `RailAnswer` of its name."""

    account: str
    currency: str
    after: date | None
    path: str
    """Of a file to write."""


class RailAnswer(msgspec.Struct, frozen=True):
    """What a rail answered, or why it refused and under which code."""

    value: msgspec.Raw = msgspec.Raw(b"\xc0")
    refused: str = ""
    code: str = ""


class RailFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What a rail can do."""

    files: bool
    """It is a FileRail."""
    reads: bool
    """It is a BankReader."""
    states: bool = False
    """It is a StatementSource."""
    directions: list[api.Direction]
    currencies: list[str]


class Probe(msgspec.Struct, frozen=True, tag="probe"):
    """Load a plugin and call its registering hooks, to see whether it survives that."""

    slug: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe found: why a plugin cannot be used, or what it registers."""

    refusal: str = ""
    supplier: bool = False
    tasks: list[tuple[str, int]] = []
    """Name and seconds between two runs."""
    observes: list[str] = []
    """Observing hooks it implements."""
    describers: int = 0
    rules: list[str] = []
    channels: list[str] = []
    """Of its notifiers."""
    rail: RailFinding | None = None
    warnings: list[str] = []


Request: TypeAlias = (
    Ask
    | RunTask
    | Tell
    | Describe
    | AskRule
    | SendNotices
    | AskHealth
    | AskRail
    | ReadBank
    | NextStatement
    | Probe
)


class Answer(msgspec.Struct, frozen=True):
    """What was answered to one order or notice: an encoded outcome, or why it is none."""

    outcome: bytes = b""
    fault: str = ""


class Reply(msgspec.Struct, frozen=True):
    """What came of a request: `value` by the request's kind, or the words of what it raised."""

    value: msgspec.Raw = msgspec.Raw(b"\xc0")
    raised: str = ""
    leave: bool = False
    """The process is of no more use and ends."""


FACTS: dict[str, type[msgspec.Struct]] = {
    "marketplace_after_burn_fulfilled": api.BurnFact,
    "marketplace_after_burn_voided": api.BurnFact,
    "marketplace_after_burn_refunded": api.RefundFact,
    "marketplace_after_points_issued": api.IssueFact,
    "marketplace_after_window_closed": api.WindowFact,
}
"""The Struct that each observing hook is told."""

OUTCOMES = {*api.Outcome.__args__, *api.NoticeOutcome.__args__, *api.LegOutcome.__args__}


T = TypeVar("T")


def decode(body: bytes | msgspec.Raw, kind: type[T] | Any) -> T:
    """What the other side said, of this type; MsgspecError where it is not, whatever it is."""
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except (UnicodeDecodeError, RecursionError) as error:  # msgspec lets these two through
        raise msgspec.DecodeError(str(error)) from None


def outcomes_of(raw: msgspec.Raw) -> list[Any]:
    """A supplier's answers; what is no well-typed outcome is Malformed."""
    return _decoded(raw, api.Outcome)


def notice_outcomes_of(raw: msgspec.Raw) -> list[Any]:
    """A notifier's answers, likewise."""
    return _decoded(raw, api.NoticeOutcome)


def leg_outcomes_of(raw: msgspec.Raw) -> list[Any]:
    """A rail's answers, likewise."""
    return _decoded(raw, api.LegOutcome)


def _decoded(raw: msgspec.Raw, kind: Any) -> list[Any]:
    answers: list[Answer] = decode(raw, list[Answer])
    if not any(each.fault for each in answers):
        # All at once, which is much quicker; where one is malformed, that finds out which.
        with suppress(msgspec.MsgspecError):
            one = ARRAY.pack(ARRAY_MARK, len(answers)) + b"".join(each.outcome for each in answers)
            outcomes: list[Any] = decode(one, list[kind])
            return outcomes
    return [_decoded_one(each, kind) for each in answers]


def _decoded_one(answer: Answer, kind: Any) -> Any:
    if answer.fault:
        return Malformed(answer.fault)
    try:
        return decode(answer.outcome, kind)
    except msgspec.MsgspecError as error:
        return Malformed(str(error))


def encode_answers(answers: Sequence[Any]) -> list[Answer]:
    """Answers, each by itself, so that a bad one harms its own order or notice only."""
    return [_encode_answer(each) for each in answers]


def _encode_answer(answer: Any) -> Answer:
    kind = type(answer)
    if kind not in OUTCOMES:
        return Answer(fault=f"{kind.__name__[:100]} is no outcome")
    try:
        encoded = msgspec.msgpack.encode(answer)
    except Exception as error:
        return Answer(fault=f"{kind.__name__} cannot be sent: {error}"[:LONGEST_WORDS])
    if len(encoded) > MOST_ANSWER_BYTES:
        return Answer(fault=f"an answer of {len(encoded)} bytes; {MOST_ANSWER_BYTES} is the most")
    return Answer(outcome=encoded)


class TooLong(Exception):
    """A message is longer than it may be."""


class Closed(Exception):
    """The other side is gone."""


def send(channel: socket.socket, message: Any) -> None:
    """Send one message; the socket's timeout holds for each piece."""
    body = msgspec.msgpack.encode(message)
    try:
        channel.sendall(LENGTH.pack(len(body)) + body)
    except (BrokenPipeError, ConnectionError) as error:
        raise Closed(str(error)) from None


def receive(channel: socket.socket, most_bytes: int, wait: Callable[[], None] | None) -> bytes:
    """The next message's body. `wait` is called whenever the socket's timeout passes; it may raise.

    Raises Closed at the end, TooLong where the other side announces more than `most_bytes`.
    """
    (length,) = LENGTH.unpack(_read(channel, LENGTH.size, wait))
    if length > most_bytes:
        raise TooLong(f"an answer of {length} bytes; {most_bytes} is the most")
    return _read(channel, length, wait)


def _read(channel: socket.socket, length: int, wait: Callable[[], None] | None) -> bytes:
    found = bytearray()
    looked_at = time.monotonic()
    while len(found) < length:
        timeout_s = channel.gettimeout()
        try:
            piece = channel.recv(min(length - len(found), PIECE))
        except TimeoutError:
            piece = None
        except ConnectionError as error:
            raise Closed(str(error)) from None
        if piece == b"":
            raise Closed("the connection was closed")
        found += piece or b""
        # One that sends byte by byte must not keep us from looking at the clock.
        if wait and (piece is None or time.monotonic() - looked_at > (timeout_s or 0)):
            wait()
            looked_at = time.monotonic()
    return bytes(found)
