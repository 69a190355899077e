"""The plugin's side of a call to a rail: arguments become its own structs, answers are encoded.

What the house keeps of accounts and of its own side is JSON; only here are the rail's types known.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, TypeAlias

import msgspec

from marketplace import api
from marketplace.containment import messages
from marketplace.containment.messages import (
    AskRail,
    NextStatement,
    RailAnswer,
    RailFinding,
    ReadBank,
)

AnyRail: TypeAlias = api.Rail | api.FileRail
Asked: TypeAlias = AskRail | ReadBank | NextStatement
"""What a rail is asked."""

RECORDS = frozenset(api.BankRecord.__args__)


def found(rail: AnyRail) -> RailFinding:
    """What a rail says that it can do."""
    return RailFinding(
        files=isinstance(rail, api.FileRail),
        reads=isinstance(rail, api.BankReader),
        states=isinstance(rail, api.BankReader) and isinstance(rail, api.StatementSource),
        directions=sorted(rail.directions),
        currencies=sorted(rail.currencies),
    )


def answer(rail: AnyRail, request: Asked) -> RailAnswer:
    """Do what is asked; a refusal in words is an answer, anything else passes."""
    try:
        value = _answer(rail, request)
    except (api.InvalidRequest, api.NotConfigured) as error:
        return RailAnswer(refused=error.detail, code=error.code)
    return RailAnswer(msgspec.Raw(msgspec.msgpack.encode(value)))


def _answer(rail: Any, request: Asked) -> Any:
    match request:
        case ReadBank():
            return _read(rail, request)
        case NextStatement():
            with open(request.path, "wb") as file:
                return rail.next_statement(request.account, request.currency, request.after, file)
    return _call(rail, request)


def _call(rail: Any, request: AskRail) -> Any:
    match request.method:
        case "check_account":
            return rail.check_account(typed(request.account, rail.account, "The account"))
        case "house_now":
            return rail.house_now()
        case "health":
            return rail.health()
        case "files":
            assert request.batch is not None  # noqa: S101 - the house sends it along
            house = typed(request.batch.house, rail.house, "The clearing house's side")
            batch = msgspec.structs.replace(request.batch, house=house)
            legs = [_with_account(rail, each) for each in request.legs]
            return list(islice(rail.files(batch, legs), len(legs) + 1))
    return _outcomes(getattr(rail, request.method), rail, request.legs)


def _outcomes(call: Any, rail: Any, legs: Sequence[api.Leg]) -> list[messages.Answer]:
    good, refused = [], []
    for each in legs:
        try:
            good.append(_with_account(rail, each))
        except api.InvalidRequest as error:
            refused.append(api.Rejected(reference=each.reference, reason=error.detail))
    answers = list(islice(call(good), 2 * len(good) + 1)) if good else []
    return messages.encode_answers([*refused, *answers])


def _with_account(rail: Any, leg: api.Leg) -> api.Leg:
    account = typed(leg.account, rail.account, f"The account of leg {leg.reference}")
    return msgspec.structs.replace(leg, account=account)


def typed(given: Any, struct: type[msgspec.Struct], what: str) -> Any:
    """What was kept as JSON as the rail's own struct; InvalidRequest where it is none."""
    if isinstance(given, struct):
        return given
    try:
        return msgspec.convert(given, struct)
    except (msgspec.ValidationError, TypeError) as error:
        raise api.InvalidRequest(f"{what} does not have what this rail needs: {error}.") from None


def _read(rail: Any, request: ReadBank) -> int:
    """Write the records of a bank's file, a line each, one in memory at a time."""
    count, encoder, line = 0, msgspec.json.Encoder(), bytearray()
    with open(request.source, "rb") as source, open(request.records, "wb") as records:
        for record in rail.read(source):
            if type(record) not in RECORDS:
                raise TypeError(f"{type(record).__name__[:100]} is no record of a bank's file")
            encoder.encode_into(record, line)
            line += b"\n"
            records.write(line)
            line.clear()
            count += 1
    return count
