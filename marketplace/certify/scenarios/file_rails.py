"""Scenarios about rails that make files: the right legs, the same bytes, nothing else."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import msgspec

from marketplace import api
from marketplace.certify.scenario import About, Failed, scenario
from marketplace.certify.stage import PlayedFileRail, Stage
from marketplace.certify.watching import watched
from marketplace.containment.rail_calls import RECORDS
from marketplace.containment.rails import fault_of_files
from marketplace.ids import uuid7

ODD: Final = (
    'Ex\u00e4mple & S\u00f6hne <b>"x"</b>',
    "\u0416\u00f3\u0142\u0107 \U0001f381 \u202e\u0000\nnext",
    "'; drop table leg; --",
    "long " * 100,
)
BOMB: Final = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><Document>&j;</Document>"
)
GARBAGE: Final = (b"", b"\0" * 1_000, b"PK\x03\x04", b"<", b"<a><b></a>", b"\xff\xfe\xff", BOMB)
PURE: Final = (
    "Make everything in a file from the batch and its legs: no clock, no chance, no settings, no "
    "order of a set."
)
MOST_RECORDS: Final = 100_000


def _batch(stage: Stage, played: PlayedFileRail) -> api.Batch:
    try:
        house = stage.guarded("house_now", played.rail.house_now)
    except api.NotConfigured as error:
        raise Failed(
            f"house_now raised NotConfigured: {error.detail}",
            advice="Give the rehearsal `settings` that are complete.",
        ) from None
    if not isinstance(house, played.rail.house):
        raise Failed(
            f"house_now answered {type(house).__name__}, no {played.rail.house.__name__}.",
            advice="Answer a struct of FileRail.house.",
        )
    return api.Batch(
        reference=f"S-{uuid7().hex[-12:].upper()}", made_at=datetime.now(UTC), house=house
    )


def _leg(played: PlayedFileRail, direction: api.Direction, **changes: Any) -> api.Leg:
    leg = api.Leg(
        reference=f"CRM-{uuid7().hex[-20:].upper()}",
        direction=direction,
        amount_minor=12_345,
        currency=min(played.rail.currencies, default="EUR"),
        name="Example Ltd",
        account=played.rehearsal.account(),
        due_on=datetime.now(UTC).date() + timedelta(days=2),
        text="Coalition settlement 2026-11",
    )
    return msgspec.structs.replace(leg, **changes)


def _legs(played: PlayedFileRail) -> list[api.Leg]:
    """Legs of a cent and of much, on two days, in each direction."""
    later = datetime.now(UTC).date() + timedelta(days=9)
    return [
        _leg(played, direction, amount_minor=amount, **more)
        for direction in sorted(played.rail.directions)
        for amount, more in ((1, {}), (12_345_678, {}), (99, {"due_on": later}))
    ]


def _files(
    stage: Stage, played: PlayedFileRail, batch: api.Batch, legs: Sequence[api.Leg]
) -> list[api.RailFile]:
    """The files; Failed where they are not what they must be. InvalidRequest passes."""
    try:
        found = stage.guarded(
            "files", lambda: list(islice(played.rail.files(batch, list(legs)), len(legs) + 1))
        )
    except (Failed, api.InvalidRequest):
        raise
    except Exception as error:
        raise Failed(
            f"files raised {type(error).__name__}: {error}",
            advice="Raise InvalidRequest, naming the leg, for what cannot be paid; nothing else.",
        ) from error
    try:
        typed = msgspec.convert(msgspec.to_builtins(found), list[api.RailFile])
        fault = fault_of_files(legs, typed)
    except (msgspec.ValidationError, TypeError) as error:
        fault = str(error)
    if fault:
        raise Failed(
            f"The files of {len(legs)} legs are not well formed: {fault}.",
            advice="Put each leg into exactly one file and name it in RailFile.references.",
        )
    return found


def _made(
    stage: Stage, played: PlayedFileRail, batch: api.Batch, legs: Sequence[api.Leg]
) -> list[api.RailFile]:
    try:
        return _files(stage, played, batch, legs)
    except api.InvalidRequest as error:
        raise Failed(
            f"Ordinary legs were refused: {error.detail}",
            advice="See FileRailRehearsal.account() for an account that works.",
        ) from None


@scenario("file-account", "It knows which account money could reach", About.FILE_RAILS)
def file_account(stage: Stage) -> None:
    """One that works, and the same with each text of it spoilt."""
    for played in stage.file_rails:
        account = played.rehearsal.account()
        if not isinstance(account, played.rail.account) or _refused(stage, played, account):
            raise Failed(
                "The account of its own rehearsal is refused, or no struct of FileRail.account.",
                advice="FileRailRehearsal.account() answers one that money reaches.",
            )
        names = [n for n in account.__struct_fields__ if isinstance(getattr(account, n), str)]
        spoilt = [msgspec.structs.replace(account, **{name: "?? "}) for name in names]
        if spoilt and not any(_refused(stage, played, each) for each in spoilt):
            raise Failed(
                "Whichever text of an account is nonsense, the account is taken for good.",
                advice="Raise InvalidRequest, with words for who typed it.",
            )


def _refused(stage: Stage, played: PlayedFileRail, account: Any) -> bool:
    try:
        stage.guarded("check_account", lambda: played.rail.check_account(account), 2.0)
    except api.InvalidRequest as error:
        return bool(error.detail.strip())
    except Failed:
        raise
    except Exception as error:
        raise Failed(
            f"check_account raised {type(error).__name__}: {error}",
            advice="Raise InvalidRequest, and nothing else, for what is no account.",
        ) from error
    return False


@scenario("file-legs", "Each leg is in exactly one file", About.FILE_RAILS)
def file_legs(stage: Stage) -> None:
    """One leg, several, none; each by its reference, as the bank will repeat it."""
    for played in stage.file_rails:
        batch = _batch(stage, played)
        if _made(stage, played, batch, []):
            raise Failed("Of no leg it made a file.", advice="Answer no file where nothing is due.")
        legs = _legs(played)
        for some in (legs[:1], legs):
            files = _made(stage, played, batch, some)
            for leg in some:
                if not any(leg.reference.encode() in each.content for each in files):
                    raise Failed(
                        "The reference of a leg is in none of the files.",
                        advice="Write Leg.reference where the bank repeats it (EndToEndId).",
                    )


@scenario("file-blocks", "What the bank repeats of a file stands for its legs", About.FILE_RAILS)
def file_blocks(stage: Stage) -> None:
    """The ids it states of files and blocks of payments are in them, and in no other batch's."""
    for played in stage.file_rails:
        seen: set[str] = set()
        for batch in (_batch(stage, played), _batch(stage, played)):
            own: set[str] = set()
            for each in _made(stage, played, batch, _legs(played)):
                own |= _ids_in(each)
            if own & seen:
                raise Failed(
                    f"The files of two batches have the id {min(own & seen)}.",
                    advice="Make the ids of files and blocks from Batch.reference.",
                )
            seen |= own


def _ids_in(file: api.RailFile) -> set[str]:
    found = {file.message_id, *file.blocks} - {""}
    for name in sorted(found):
        if name.encode() not in file.content:
            raise Failed(
                f"It states the id {name}, which is not in the file {file.name}.",
                advice="State in RailFile.message_id and RailFile.blocks what the file says.",
            )
    return found


@scenario("file-same", "The same batch and legs are the same bytes, later too", About.FILE_RAILS)
def file_same(stage: Stage) -> None:
    """Made again after a second, from legs that were read back from what was kept."""
    for played in stage.file_rails:
        batch, legs = _batch(stage, played), _legs(played)
        with watched() as seen:
            first = _made(stage, played, batch, legs)
        if seen:
            raise Failed(f"While it makes files it {seen[0]}.", advice=PURE)
        time.sleep(1.1)
        again = _made(stage, played, batch, [msgspec.structs.replace(each) for each in legs])
        if first != again:
            raise Failed("Made again, the files differ.", advice=PURE)
        other = msgspec.structs.replace(legs[0], amount_minor=legs[0].amount_minor + 1)
        if _made(stage, played, batch, [other, *legs[1:]]) == first:
            raise Failed(
                "A leg of another amount gave the same files.", advice="Write what the leg says."
            )


@scenario("file-refused", "What it cannot pay is refused, and no file is made", About.FILE_RAILS)
def file_refused(stage: Stage) -> None:
    """No amount, a currency and a direction it does not have, one reference twice."""
    for played in stage.file_rails:
        batch, good = _batch(stage, played), _legs(played)[0]
        bad = [("an amount of zero", [_leg(played, good.direction, amount_minor=0)])]
        bad.append(("one reference twice", [good]))
        if played.rail.currencies:
            strange = "XTS" if "XTS" not in played.rail.currencies else "XXX"
            bad.append(("a currency it lacks", [_leg(played, good.direction, currency=strange)]))
        bad += [
            ("a direction it lacks", [_leg(played, each)])
            for each in api.Direction
            if each not in played.rail.directions
        ]
        for what, legs in bad:
            _must_not_pay(stage, played, batch, [good, *legs], what)


def _must_not_pay(
    stage: Stage, played: PlayedFileRail, batch: api.Batch, legs: Sequence[api.Leg], what: str
) -> None:
    advice = "Raise InvalidRequest, naming the leg, and nothing else."
    try:
        stage.guarded("files", lambda: played.rail.files(batch, legs))
    except Failed:
        raise
    except Exception as error:
        if isinstance(error, api.InvalidRequest) and error.detail.strip():
            return
        raise Failed(
            f"Of {what} it raised {type(error).__name__}: {error}", advice=advice
        ) from error
    raise Failed(f"It made files of {what}.", advice=advice)


@scenario("file-words", "Odd words in a leg break no file", About.FILE_RAILS)
def file_words(stage: Stage) -> None:
    """Names and texts of any script, and those that would be markup: paid, or refused in words."""
    for played in stage.file_rails:
        batch = _batch(stage, played)
        for words in ODD:
            for changes in ({"text": words[:140]}, {"name": words}):
                leg = _leg(played, min(played.rail.directions), **changes)
                try:
                    files = _files(stage, played, batch, [leg])
                except api.InvalidRequest:
                    continue
                if any(b"<b>" in each.content or b"\0" in each.content for each in files):
                    raise Failed(
                        "Words of a leg became markup, or a control character, in a file.",
                        advice="Escape what you write, and transliterate what the bank refuses.",
                    )


@scenario("bank-files", "What its bank sends is read, record by record", About.FILE_RAILS)
def bank_files(stage: Stage) -> None:
    """The rehearsal's files, whole and then cut off."""
    for played in stage.file_rails:
        reader = played.rail
        if not isinstance(reader, api.BankReader):
            continue
        for name, content in played.rehearsal.bank_files().items():
            try:
                found = _read(stage, reader, content)
            except api.InvalidRequest as error:
                raise Failed(
                    f"{name}, a file of its own rehearsal, was refused: {error.detail}",
                    advice="bank_files() answers files that are read without a fault.",
                ) from None
            if not found:
                raise Failed(f"{name} has no records.", advice="Yield what the file says.")
            if found != _read(stage, reader, content):
                raise Failed(f"{name}, read again, says something else.", advice=PURE)
            _must_refuse(stage, reader, content[: len(content) * 2 // 3], f"{name}, cut off,")


@scenario("bank-garbage", "What is no file of a bank is refused in words", About.FILE_RAILS)
def bank_garbage(stage: Stage) -> None:
    """Nothing, noise, an archive, broken markup, entities that grow."""
    for played in stage.file_rails:
        if isinstance(played.rail, api.BankReader):
            for content in GARBAGE:
                _must_refuse(stage, played.rail, content, f"{content[:12]!r}")


def _must_refuse(stage: Stage, reader: api.BankReader, content: bytes, what: str) -> None:
    try:
        _read(stage, reader, content)
    except api.InvalidRequest as error:
        if error.detail.strip():
            return
    raise Failed(
        f"{what} was read as if it were whole.",
        advice="Raise InvalidRequest: what is wrong, in which line, what to do.",
    )


def _read(stage: Stage, reader: api.BankReader, content: bytes) -> list[Any]:
    read: Callable[[], list[Any]] = lambda: list(  # noqa: E731 - one call, twice used
        islice(reader.read(io.BytesIO(content)), MOST_RECORDS)
    )
    try:
        found = stage.guarded("read", read)
    except (Failed, api.InvalidRequest):
        raise
    except Exception as error:
        raise Failed(
            f"read raised {type(error).__name__}: {error}",
            advice="Raise InvalidRequest for what cannot be read, and nothing else.",
        ) from error
    wrong = next((each for each in found if type(each) not in RECORDS), None)
    if wrong is not None:
        raise Failed(
            f"read yielded {type(wrong).__name__}, which is no record.",
            advice="Yield records of marketplace.api only.",
        )
    return found
