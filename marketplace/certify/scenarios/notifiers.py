"""Scenarios about notifiers: what they make of addresses, and of notices in a world of any kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from marketplace import api
from marketplace.certify.scenario import About, Excused, Failed, scenario
from marketplace.certify.scenarios.secrecy import heard_by
from marketplace.certify.stage import Played, Stage
from marketplace.certify.watching import watched
from marketplace.ids import uuid7
from marketplace.notices.carrying import judge
from marketplace.testing.rehearsal import Trouble

NONSENSE = ("", " ", "?", "x" * 10_000, "'; drop table person; --", "\u202e\u0000", "a\r\nBcc: b@c")
TEXTS = (
    "A gift is waiting.",
    "Ж ó ł \U0001f381\nand a second line",
    "long " * 1_000,
    "<b>bold</b> %s {0} $x",
)
FULL_BATCH = 50
LONGEST_ADDRESS = 200
UNSURE = "Answer Retry, or let the error pass: the notice comes again later, under its reference."

Outcomes = dict[str, api.NoticeOutcome]


def _notices(address: str, texts: Sequence[str]) -> list[api.Notice]:
    return [
        api.Notice(
            reference=str(uuid7()),
            address=address,
            language="en",
            subject="Something for you",
            text=text,
            link="https://rewards.example/notices",
            action="Look",
        )
        for text in texts
    ]


def _accept(stage: Stage, played: Played, address: str) -> str | None:
    """What it keeps of an address; None where it refuses it as it should."""
    channel = played.notifier.channel
    try:
        kept = stage.guarded("accept", lambda: played.notifier.accept(address), 1.0)
    except Failed:
        raise
    except api.InvalidRequest as error:
        if not str(error.detail).strip():
            raise Failed(
                f"{channel} refuses {address[:30]!r} without a word.",
                advice="Raise InvalidRequest with words for the person who typed it.",
            ) from None
        return None
    except Exception as error:
        raise Failed(
            f"{channel}: accept({address[:30]!r}) raised {type(error).__name__}: {error}",
            advice="Raise InvalidRequest, and nothing else, for what is no address.",
        ) from error
    if not isinstance(kept, str) or not 0 < len(kept) <= LONGEST_ADDRESS:
        raise Failed(
            f"{channel}: accept({address[:30]!r}) answered {repr(kept)[:60]}.",
            advice=f"Answer the address as it is to be kept, {LONGEST_ADDRESS} characters at most.",
        )
    return kept


def _address(stage: Stage, played: Played) -> str:
    typed = played.rehearsal.address()
    kept = _accept(stage, played, typed)
    if kept is None:
        raise Failed(
            f"{played.notifier.channel} refuses the address of its own rehearsal, {typed!r}.",
            advice="Let NotifierRehearsal.address() name one that people have.",
        )
    return kept


def _send(stage: Stage, played: Played, notices: Sequence[api.Notice]) -> Outcomes:
    """One well-formed outcome per notice; Failed for anything else but a raise, which passes."""
    most = 2 * len(notices) + 1
    answers = stage.guarded("send", lambda: list(islice(played.notifier.send(list(notices)), most)))
    found, wrong = judge(notices, answers)
    if wrong:
        raise Failed(
            f"{played.notifier.channel} was given {len(notices)} notices, and its answer is not "
            f"well formed: {wrong}.",
            advice="Answer each notice once: Sent, Retry or Rejected, with its own reference.",
        )
    return found


def _deliver(stage: Stage, played: Played, notices: Sequence[api.Notice]) -> None:
    """All are sent, and arrive once as far as anybody can tell."""
    try:
        outcomes = _send(stage, played, notices)
    except Failed:
        raise
    except Exception as error:
        raise Failed(
            f"{played.notifier.channel}: send raised {type(error).__name__}: {error}",
            advice="Answer one outcome per notice, whatever it says.",
        ) from error
    for notice in notices:
        if not isinstance(outcomes[notice.reference], api.Sent):
            raise Failed(
                f"{played.notifier.channel} answered {outcomes[notice.reference]!r} to an ordinary "
                f"notice ({notice.text[:20]!r}).",
                advice="Shorten what is too long for the channel; its link leads to all of it.",
            )
        count = played.rehearsal.arrived(notice.reference)
        if count not in (None, 1):
            raise Failed(
                f"A notice of {played.notifier.channel} was Sent and arrived {count} times.",
                advice="Send Notice.reference along as idempotency key.",
            )


@contextmanager
def _trouble(played: Played, trouble: Trouble) -> Iterator[None]:
    excuse = played.rehearsal.without.get(trouble)
    if excuse:
        raise Excused(excuse)
    with played.rehearsal.trouble(trouble):
        yield


@scenario(
    "notice-address", "It keeps addresses in one form, and says what is none", About.NOTIFIERS
)
def notice_address(stage: Stage) -> None:
    """An address that people have, and nonsense; without asking anybody."""
    for played in stage.notifiers:
        kept = _address(stage, played)
        with watched() as seen:
            again = _accept(stage, played, kept)
        if again != kept:
            raise Failed(
                f"{played.notifier.channel} keeps {kept!r}, and of that {again!r}.",
                advice="What accept answered, it accepts again unchanged.",
            )
        if seen:
            raise Failed(
                f"{played.notifier.channel} {seen[0]} when it looks at an address.",
                advice="Look at the form only; whether somebody is there shows when it is sent to.",
            )
        for nonsense in NONSENSE:
            once = _accept(stage, played, nonsense)
            if once is not None and _accept(stage, played, once) != once:
                raise Failed(
                    f"{played.notifier.channel} keeps {nonsense[:30]!r} in two forms.",
                    advice="What accept answered, it accepts again unchanged.",
                )


@scenario(
    "notice-sent", "Ordinary, long and odd notices are sent, one answer each", About.NOTIFIERS
)
def notice_sent(stage: Stage) -> None:
    """None at all, a few, and a full batch."""
    for played in stage.notifiers:
        address = _address(stage, played)
        _deliver(stage, played, [])
        _deliver(stage, played, _notices(address, TEXTS))
        _deliver(stage, played, _notices(address, ["The same."] * FULL_BATCH))


@scenario("notice-again", "A notice that comes again arrives once", About.NOTIFIERS)
def notice_again(stage: Stage) -> None:
    """As after a crash between sending and writing it down."""
    for played in stage.notifiers:
        notices = _notices(_address(stage, played), TEXTS[:2])
        _deliver(stage, played, notices)
        _deliver(stage, played, [*notices, *_notices(notices[0].address, TEXTS[:1])])


@scenario("notice-outage", "Its outside cannot be reached: nothing counts as sent", About.NOTIFIERS)
def notice_outage(stage: Stage) -> None:
    """An outage is no refusal; afterwards the same notices arrive."""
    for played in stage.notifiers:
        notices = _notices(_address(stage, played), TEXTS[:2])
        with _trouble(played, Trouble.DOWN):
            outcomes = _in_trouble(stage, played, notices)
        for each in outcomes.values():
            if not isinstance(each, api.Retry):
                raise Failed(
                    f"In an outage {played.notifier.channel} answered {type(each).__name__}.",
                    advice=UNSURE,
                )
        _deliver(stage, played, notices)


@scenario(
    "notice-lost-answer", "It sends, and the answer is lost: it arrives once", About.NOTIFIERS
)
def notice_lost_answer(stage: Stage) -> None:
    """Nobody knows, so it is not refused; it comes again and arrives once."""
    for played in stage.notifiers:
        notices = _notices(_address(stage, played), TEXTS[:2])
        with _trouble(played, Trouble.LOST_ANSWER):
            outcomes = _in_trouble(stage, played, notices)
        if any(isinstance(each, api.Rejected) for each in outcomes.values()):
            raise Failed(
                f"{played.notifier.channel} refused for good what may have been sent.",
                advice=UNSURE,
            )
        _deliver(stage, played, notices)


def _in_trouble(stage: Stage, played: Played, notices: Sequence[api.Notice]) -> Outcomes:
    """Well-formed outcomes, where a raise is allowed too: it answers none."""
    try:
        return _send(stage, played, notices)
    except Failed:
        raise
    except Exception:
        return {}


@scenario("notice-private", "Addresses and texts show in no log and no table", About.NOTIFIERS)
def notice_private(stage: Stage) -> None:
    """What people are told is nobody else's business."""
    for played in stage.notifiers:
        address = _address(stage, played)
        secret = f"told-{uuid7().hex}"
        with heard_by(stage) as heard:
            _deliver(stage, played, _notices(address, [secret]))
        seen = [place for place, text in heard().items() if secret in text or address in text]
        if seen:
            raise Failed(
                f"What {played.notifier.channel} sent was found in {', and in '.join(seen)}.",
                advice="Log Notice.reference; keep the rest encrypted with host.encrypt(), or not.",
            )
