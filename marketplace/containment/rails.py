"""Rails as the house calls them: each in its plugin's process, its answers judged.

They are used like the `api.Rail`, `api.FileRail` and `api.BankReader` that they stand for, but for
three things. Accounts and the house's own side go in as structs or as the JSON that was kept, and
come out as JSON. `submit` and `lookup` never raise: they answer each leg once. Everything else
raises InvalidRequest or NotConfigured with the plugin's words, or RailUnavailable. All of it waits:
call it from a thread, outside any transaction.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Final, TypeAlias

import msgspec

from marketplace import api
from marketplace.containment import messages, rail_calls
from marketplace.containment.keeper import Keeper
from marketplace.containment.messages import (
    AskRail,
    NextStatement,
    RailAnswer,
    RailFinding,
    ReadBank,
)
from marketplace.containment.process import NotStarted, PluginRaised, ProcessEnded
from marketplace.contract.judging import check_rail_reference, well_formed
from marketplace.errors import InvalidRequest, MarketplaceError, NotConfigured

CHECK_S: Final = 5.0
FILES_S: Final = 300.0
READ_S: Final = 900.0
HEALTH_S: Final = 2.0
MOST_LEGS: Final = 200
"""Legs that `submit` and `lookup` of a rail take at once."""
FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
BANK_ID: Final = re.compile(
    r"[A-Za-z0-9/?:().,'+-](?:[A-Za-z0-9/?:().,'+ -]{0,68}[A-Za-z0-9/?:().,'+-])?"
)
KINDS: Final = frozenset(api.LegOutcome.__args__)
PIECE: Final = 1_048_576


class RailUnavailable(MarketplaceError):
    """A plugin's rail did not answer, or not what it must. `asked`: whether it was reached."""

    code = "rail_unavailable"
    title = "The plugin that talks to the bank does not answer as it must"
    status = 503

    def __init__(self, detail: str = "", *, asked: bool = True, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.asked = asked


Transport: TypeAlias = Callable[[rail_calls.Asked, float], msgspec.Raw]
"""Carries a request to where the rail is, within so many seconds; raises RailUnavailable."""


def through_process(slug: str, keeper: Keeper) -> Transport:
    """To the plugin's own process."""

    def carry(request: rail_calls.Asked, timeout_s: float) -> msgspec.Raw:
        try:
            return keeper.pool(slug).call(request, timeout_s)
        except NotStarted as error:
            raise RailUnavailable(f"Plugin {slug}: {error}.", asked=False) from None
        except (PluginRaised, ProcessEnded) as error:
            raise RailUnavailable(f"Plugin {slug}: {error}.") from None

    return carry


def here(rail: rail_calls.AnyRail) -> Transport:
    """To a rail of this very process: where there are no plugin processes, and in tests."""

    def carry(request: rail_calls.Asked, timeout_s: float) -> msgspec.Raw:
        try:
            return msgspec.Raw(msgspec.msgpack.encode(rail_calls.answer(rail, request)))
        except Exception as error:
            words = f"Plugin {rail.slug}: {type(error).__name__}: {error}."
            raise RailUnavailable(words) from error

    return carry


class _Held:
    """What both kinds of rail have."""

    def __init__(
        self,
        slug: str,
        finding: RailFinding,
        carry: Transport,
        timeout_s: float,
        loaded: rail_calls.AnyRail | None = None,
    ) -> None:
        self.slug = slug
        self.directions = frozenset(finding.directions)
        self.currencies = frozenset(finding.currencies)
        self.account: Any = None if loaded is None else loaded.account
        """The rail's struct; None in a process that loads no plugins."""
        self.house: Any = getattr(loaded, "house", None)
        self._carry = carry
        self._timeout_s = timeout_s

    def check_account(self, account: Any) -> None:
        """See `api.Rail`; the account may be JSON."""
        self._ask(AskRail("check_account", account=account), CHECK_S)

    def health(self) -> api.Health:
        """See `api.Rail`; answers for a plugin that does not."""
        try:
            found: api.Health = self._decode(self._ask(AskRail("health"), HEALTH_S), api.Health)
        except MarketplaceError as error:
            return api.Health(ok=False, message=error.detail)
        return found

    def _ask(self, request: rail_calls.Asked, timeout_s: float) -> msgspec.Raw:
        answer: RailAnswer = self._decode(self._carry(request, timeout_s), RailAnswer)
        if answer.refused:
            refusal = NotConfigured if answer.code == NotConfigured.code else InvalidRequest
            raise refusal(answer.refused)
        return answer.value

    def _decode(self, raw: msgspec.Raw, kind: Any) -> Any:
        try:
            return messages.decode(raw, kind)
        except msgspec.MsgspecError as error:
            raise self._wrong(str(error)) from None

    def _wrong(self, words: str) -> RailUnavailable:
        return RailUnavailable(f"Plugin {self.slug}: its answer is not well formed: {words}.")


class HeldRail(_Held):
    """An `api.Rail`. `submit` and `lookup` answer every leg once, in order, and never raise."""

    def submit(self, legs: Sequence[api.Leg]) -> Sequence[api.LegOutcome]:
        """See `api.Rail`; any number of legs. What is not answered well is Unknown."""
        return self._outcomes("submit", legs)

    def lookup(self, legs: Sequence[api.Leg]) -> Sequence[api.LegOutcome]:
        """See `api.Rail`; likewise."""
        return self._outcomes("lookup", legs)

    def _outcomes(self, method: Any, legs: Sequence[api.Leg]) -> list[api.LegOutcome]:
        found: list[api.LegOutcome] = []
        for start in range(0, len(legs), MOST_LEGS):
            found += self._chunk(method, legs[start : start + MOST_LEGS])
        return found

    def _chunk(self, method: Any, legs: Sequence[api.Leg]) -> list[api.LegOutcome]:
        try:
            raw = self._ask(AskRail(method, legs=list(legs)), self._timeout_s)
            answers = self._decoded_outcomes(raw)
        except MarketplaceError as error:
            sure = method == "submit" and isinstance(error, RailUnavailable) and not error.asked
            kind = api.Retry if sure else api.Unknown
            return [kind(reference=each.reference, reason=error.detail) for each in legs]
        asked = [each.reference for each in legs]
        found, wrong = well_formed(asked, answers, KINDS, lambda each: _fits(each, method))
        reason = "; ".join(wrong[:3])
        return [
            found.get(each) or api.Unknown(reference=each, reason=reason or "it was not answered")
            for each in asked
        ]

    def _decoded_outcomes(self, raw: msgspec.Raw) -> list[Any]:
        try:
            return messages.leg_outcomes_of(raw)
        except msgspec.MsgspecError as error:
            raise self._wrong(str(error)) from None


def _fits(outcome: Any, method: str) -> None:
    if isinstance(outcome, api.NeverOrdered) and method == "submit":
        raise ValueError("NeverOrdered is an answer of lookup only")
    check_rail_reference(outcome)


class HeldFileRail(_Held):
    """An `api.FileRail`."""

    def house_now(self) -> dict[str, Any]:
        """See `api.FileRail`; JSON, to keep with the batch."""
        raw = self._ask(AskRail("house_now"), CHECK_S)
        found: dict[str, Any] = msgspec.to_builtins(self._decode(raw, dict[str, Any]))
        return found

    def files(self, batch: api.Batch, legs: Sequence[api.Leg]) -> Sequence[api.RailFile]:
        """See `api.FileRail`; RailUnavailable where a leg is not in exactly one file."""
        request = AskRail("files", legs=list(legs), batch=batch)
        found: list[api.RailFile] = self._decode(self._ask(request, FILES_S), list[api.RailFile])
        fault = fault_of_files(legs, found)
        if fault:
            raise self._wrong(fault)
        return found


def fault_of_files(legs: Sequence[api.Leg], files: Sequence[api.RailFile]) -> str:
    """What is wrong with files for these legs; empty where nothing is."""
    for each in files:
        if not FILE_NAME.fullmatch(each.name):
            return f"{each.name[:100]!r} is no name of a file"
        if not each.content or not each.references:
            return f"the file {each.name} is empty"
        if fault := _fault_of_blocks(each):
            return fault
    if len({each.name for each in files}) < len(files):
        return "two files have one name"
    paid = Counter(reference for each in files for reference in each.references)
    asked = {each.reference for each in legs}
    for reference in sorted(asked | set(paid)):
        if reference not in asked:
            return f"leg {reference[:100]!r} was not asked for"
        if paid[reference] != 1:
            return f"leg {reference} is in {paid[reference]} places, not in one"
    names = [each.message_id for each in files if each.message_id]
    for ids in (names, [name for each in files for name in each.blocks]):
        twice = [name for name, count in Counter(ids).items() if count > 1]
        if twice:
            return f"two files, or two blocks of payments, have the id {twice[0]}"
    return ""


def _fault_of_blocks(file: api.RailFile) -> str:
    for name in filter(None, (file.message_id, *file.blocks)):
        if not BANK_ID.fullmatch(name):
            return f"{name[:100]!r} is no id that a bank repeats"
    if "" in file.blocks:
        return f"a block of {file.name} has no id"
    inside = Counter(reference for block in file.blocks.values() for reference in block)
    if file.blocks and inside != Counter(file.references):
        return f"the blocks of {file.name} do not hold each of its legs once"
    return ""


class _Reading(_Held):
    """An `api.BankReader`."""

    def read(self, source: BinaryIO) -> Iterator[api.BankRecord]:
        """See `api.BankReader`. Nothing is yielded before the whole file was read well.

        A file on disk is read where it is; another is copied there first. Bounded memory.
        """
        with TemporaryDirectory(prefix="marketplace-bank-") as folder:
            path = _path_of(source)
            if path is None:
                path = Path(folder) / "source"
                with path.open("wb") as copy:
                    shutil.copyfileobj(source, copy, PIECE)
            records = Path(folder) / "records"
            request = ReadBank(str(path), str(records))
            count: int = self._decode(self._ask(request, READ_S), int)
            yield from self._records(records, count)

    def _records(self, path: Path, count: int) -> Iterator[api.BankRecord]:
        decoder, most = msgspec.json.Decoder(api.BankRecord), messages.MOST_REPLY_BYTES
        with path.open("rb") as lines:
            for _ in range(count):
                line = lines.readline(most)
                try:
                    yield decoder.decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                    raise self._wrong(str(error)) from None
            if lines.read(1):
                raise self._wrong("it wrote more records than it says")


def _path_of(source: BinaryIO) -> Path | None:
    """Where the file lies, if this is one that is open at its beginning."""
    name = getattr(source, "name", None)
    if not isinstance(name, str):
        return None
    try:
        if source.tell() == 0 and os.path.samestat(os.fstat(source.fileno()), os.stat(name)):
            return Path(name).resolve()
    except OSError:
        return None
    return None


class _Stating(_Reading):
    """An `api.BankReader` that is an `api.StatementSource`."""

    def next_statement(
        self, account: str, currency: str, after: date | None, into: BinaryIO
    ) -> str:
        """See `api.StatementSource`. Nothing is written unless the rail answers with a name."""
        with TemporaryDirectory(prefix="marketplace-bank-") as folder:
            path = Path(folder) / "statement"
            request = NextStatement(account, currency, after, str(path))
            name: str = self._decode(self._ask(request, READ_S), str)
            if not name:
                return ""
            if not FILE_NAME.fullmatch(name):
                raise self._wrong(f"{name[:100]!r} is no name of a file")
            with path.open("rb") as written:
                shutil.copyfileobj(written, into, PIECE)
            return name


class HeldReadingRail(_Reading, HeldRail):
    """An `api.Rail` that is an `api.BankReader`."""


class HeldReadingFileRail(_Reading, HeldFileRail):
    """An `api.FileRail` that is an `api.BankReader`."""


class HeldStatingRail(_Stating, HeldRail):
    """An `api.Rail` that is an `api.StatementSource`."""


class HeldStatingFileRail(_Stating, HeldFileRail):
    """An `api.FileRail` that is an `api.StatementSource`."""


AnyHeldRail: TypeAlias = HeldRail | HeldFileRail


def held(
    slug: str,
    finding: RailFinding,
    carry: Transport,
    timeout_s: float,
    loaded: rail_calls.AnyRail | None = None,
) -> AnyHeldRail:
    """The rail of a plugin, by what was found of it."""
    able = finding.reads + finding.states
    kind: type[AnyHeldRail]
    if finding.files:
        kind = (HeldFileRail, HeldReadingFileRail, HeldStatingFileRail)[able]
    else:
        kind = (HeldRail, HeldReadingRail, HeldStatingRail)[able]
    return kind(slug, finding, carry, timeout_s, loaded)


def held_here(rail: rail_calls.AnyRail) -> AnyHeldRail:
    """A rail that is called in this process."""
    return held(rail.slug, rail_calls.found(rail), here(rail), HEALTH_S, rail)
