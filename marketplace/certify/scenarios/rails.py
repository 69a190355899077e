"""Scenarios about rails: money moves once, or provably not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal

import msgspec

from marketplace import api
from marketplace.certify.scenario import About, Excused, Failed, scenario
from marketplace.certify.stage import PlayedRail, Stage
from marketplace.certify.watching import watched
from marketplace.contract.judging import check_rail_reference, well_formed
from marketplace.ids import uuid7
from marketplace.testing.rehearsal import NotShown, Trouble

LONGEST_REFERENCE = 35
ANSWERS = (
    api.Submitted,
    api.Booked,
    api.Returned,
    api.Rejected,
    api.Retry,
    api.Unknown,
    api.NeverOrdered,
)
TAKEN = (api.Submitted, api.Booked, api.Returned)
ONCE = (
    "Keep every leg by Leg.reference before you submit it (a unique column), send it along as the "
    "idempotency key, and answer a known reference from what you kept."
)
UNSURE = (
    "Answer Unknown, or let the error pass: we ask lookup. Say Rejected, Retry or NeverOrdered "
    "only with proof that no money has moved and none will."
)

Outcomes = dict[str, Any]


def new_leg(played: PlayedRail, direction: api.Direction, amount_minor: int = 12_345) -> api.Leg:
    """An ordinary leg."""
    return api.Leg(
        reference=f"CRM-{uuid7().hex[-20:].upper()}",
        direction=direction,
        amount_minor=amount_minor,
        currency=min(played.rail.currencies, default="EUR"),
        name="Ex\u00e4mple & S\u00f6hne sp. z o.o.",
        account=played.rehearsal.account(),
        due_on=datetime.now(UTC).date() + timedelta(days=2),
        text="Coalition settlement 2026-11",
    )


def _legs(played: PlayedRail) -> list[api.Leg]:
    """Two legs in each direction the rail has."""
    return [
        new_leg(played, direction, amount)
        for direction in sorted(played.rail.directions)
        for amount in (1, 12_345_678)
    ]


def _ask(
    stage: Stage,
    played: PlayedRail,
    method: Literal["submit", "lookup"],
    legs: Sequence[api.Leg],
    *,
    may_raise: bool = False,
) -> Outcomes:
    """A well-formed outcome per leg; Failed for anything else, and for a raise unless it may."""
    call, most = getattr(played.rail, method), 2 * len(legs) + 1
    try:
        answers = stage.guarded(method, lambda: list(islice(call(list(legs)), most)))
    except Failed:
        raise
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        if may_raise:
            return {e.reference: api.Unknown(reference=e.reference, reason=words) for e in legs}
        raise Failed(
            f"{method} raised {words}",
            advice="Answer one outcome per leg, whatever the leg.",
        ) from error

    def check(outcome: Any) -> None:
        if isinstance(outcome, api.NeverOrdered) and method == "submit":
            raise ValueError("NeverOrdered is an answer of lookup only")
        check_rail_reference(outcome)

    found, wrong = well_formed([each.reference for each in legs], answers, ANSWERS, check)
    if wrong:
        raise Failed(
            f"{method} was asked about {len(legs)} legs and its answer is not well formed: "
            f"{'; '.join(wrong[:3])}.",
            advice="Answer each leg once, with its own reference and fields of the types they "
            "state.",
        )
    return found


def _taken(found: Outcomes, what: str) -> dict[str, str]:
    """The rail's references by ours; Failed where one was not taken."""
    for each in found.values():
        if not isinstance(each, TAKEN):
            raise Failed(
                f"{what} was answered {type(each).__name__}{_reason(each)}.",
                advice="Answer Submitted or Booked for what you take; see "
                "RailRehearsal.account() for an account that works.",
            )
    return {reference: each.rail_reference for reference, each in found.items()}


def _reason(outcome: Any) -> str:
    words = getattr(outcome, "reason", "")
    return f" ({words})" if words else ""


def _moved_once(played: PlayedRail, legs: Sequence[api.Leg]) -> None:
    """Failed where the outside world was told of another payment than exactly this one."""
    for each in legs:
        amounts = played.rehearsal.moved(each.reference)
        if amounts is None:
            raise NotShown("nobody can tell how often money moved: add moved() to the rehearsal")
        if amounts != [each.amount_minor]:
            raise Failed(
                f"A leg of {each.amount_minor} was given to the outside as "
                f"{amounts or 'nothing at all'}.",
                advice=ONCE,
            )


def _moved_never(played: PlayedRail, legs: Sequence[api.Leg], what: str) -> None:
    if any(played.rehearsal.moved(each.reference) for each in legs):
        raise Failed(f"{what}, and money moved.", advice=ONCE)


@contextmanager
def _trouble(played: PlayedRail, trouble: Trouble) -> Iterator[None]:
    excuse = played.rehearsal.without.get(trouble)
    if excuse:
        raise Excused(excuse)
    with played.rehearsal.trouble(trouble):
        yield


@scenario("leg-account", "It knows which account money could reach, without asking", About.RAILS)
def leg_account(stage: Stage) -> None:
    """One that works, and the same with each text of it spoilt."""
    for played in stage.rails:
        account = played.rehearsal.account()
        if not isinstance(account, played.rail.account):
            raise Failed(
                f"The rehearsal's account is no {played.rail.account.__name__}.",
                advice="RailRehearsal.account() answers a struct of Rail.account.",
            )
        spoilt = _spoilt(account)
        with watched() as seen:
            if _refused(stage, played, account):
                raise Failed(
                    "The account of its own rehearsal is refused.",
                    advice="RailRehearsal.account() answers one that money reaches.",
                )
            refused = [each for each in spoilt if _refused(stage, played, each)]
        if seen:
            raise Failed(
                f"check_account {seen[0]}.",
                advice="Look at form and check digits only; whether the account exists shows when "
                "it is paid.",
            )
        if spoilt and not refused:
            raise Failed(
                "Whichever text of an account is nonsense, the account is taken for good.",
                advice="Raise InvalidRequest, with words for who typed it.",
            )


def _spoilt(account: Any) -> list[Any]:
    """The account with one text each made nonsense."""
    names = [n for n in account.__struct_fields__ if isinstance(getattr(account, n), str)]
    return [msgspec.structs.replace(account, **{name: "?? "}) for name in names]


def _refused(stage: Stage, played: PlayedRail, account: Any) -> bool:
    try:
        stage.guarded("check_account", lambda: played.rail.check_account(account), 1.0)
    except api.InvalidRequest as error:
        return bool(str(error.detail).strip())
    except Failed:
        raise
    except Exception as error:
        raise Failed(
            f"check_account raised {type(error).__name__}: {error}",
            advice="Raise InvalidRequest, and nothing else, for what is no account.",
        ) from error
    return False


@scenario("leg-submit", "Ordinary legs are taken, one well-formed answer each", About.RAILS)
def leg_submit(stage: Stage) -> None:
    """Each direction, a cent and a large amount; nothing asked is nothing answered."""
    for played in stage.rails:
        for method in ("submit", "lookup"):
            _ask(stage, played, method, [])
        legs = _legs(played)
        _taken(_ask(stage, played, "submit", legs), "An ordinary leg")
        _moved_once(played, legs)


@scenario("leg-duplicate", "The same legs come again, also at once: money moves once", About.RAILS)
def leg_duplicate(stage: Stage) -> None:
    """Again, four times at once, and beside a new one."""
    for played in stage.rails:
        legs = _legs(played)
        with ThreadPoolExecutor(4) as pool:
            calls = [
                pool.submit(_ask, stage, played, "submit", batch, may_raise=True)
                for batch in (legs, legs[::-1], legs, legs[1:] + legs[:1])
            ]
            for call in calls:
                if any(isinstance(each, api.Rejected) for each in call.result().values()):
                    raise Failed(
                        "Of the same leg submitted four times at once, one was Rejected.",
                        advice="A leg that is being handled is no refusal: answer Unknown.",
                    )
        first = _taken(_ask(stage, played, "submit", legs), "A leg that came again")
        more = [*legs, new_leg(played, legs[0].direction)]
        again = _taken(_ask(stage, played, "submit", more), "A leg beside a known one")
        if any(again[reference] != known for reference, known in first.items()):
            raise Failed("A leg that came again got another rail_reference.", advice=ONCE)
        _moved_once(played, more)


@scenario("leg-changed", "A known reference with another amount moves nothing new", About.RAILS)
def leg_changed(stage: Stage) -> None:
    """The house never does this; a bug or a forged message might."""
    for played in stage.rails:
        leg = _legs(played)[0]
        _taken(_ask(stage, played, "submit", [leg]), "An ordinary leg")
        other = msgspec.structs.replace(leg, amount_minor=leg.amount_minor * 2)
        _ask(stage, played, "submit", [other], may_raise=True)
        _moved_once(played, [leg])


@scenario("leg-lookup", "A look-up proves what never came, and moves nothing", About.RAILS)
def leg_lookup(stage: Stage) -> None:
    """Before and after, beside a leg that never comes."""
    for played in stage.rails:
        leg, never = _legs(played)[:2]
        for _ in range(2):
            found = _ask(stage, played, "lookup", [leg])[leg.reference]
            if not isinstance(found, api.NeverOrdered):
                raise Failed(
                    f"A leg that never came was looked up: {type(found).__name__}.",
                    advice="Answer NeverOrdered where you can prove it; without it the leg waits.",
                )
        _moved_never(played, [leg, never], "A leg was looked up only")
        known = _taken(_ask(stage, played, "submit", [leg]), "An ordinary leg")
        after = _ask(stage, played, "lookup", [leg, never])
        if _taken({leg.reference: after[leg.reference]}, "A known leg, looked up,") != known:
            raise Failed("Looked up, a leg has another rail_reference.", advice=ONCE)
        if not isinstance(after[never.reference], api.NeverOrdered):
            raise Failed(
                f"Beside a known leg, one that never came is "
                f"{type(after[never.reference]).__name__}.",
                advice="Answer each leg by its own reference.",
            )


@scenario("leg-refused", "What it cannot execute is refused, and moves nothing", About.RAILS)
def leg_refused(stage: Stage) -> None:
    """A currency and a direction it does not have; good legs beside them are taken."""
    for played in stage.rails:
        good = new_leg(played, min(played.rail.directions))
        bad = [
            msgspec.structs.replace(new_leg(played, each), direction=each)
            for each in api.Direction
            if each not in played.rail.directions
        ]
        if played.rail.currencies:
            strange = "XTS" if "XTS" not in played.rail.currencies else "XXX"
            bad.append(msgspec.structs.replace(new_leg(played, good.direction), currency=strange))
        found = _ask(stage, played, "submit", [*bad, good])
        for each in bad:
            if not isinstance(found[each.reference], api.Rejected):
                raise Failed(
                    f"A leg it cannot execute ({each.direction.value}, {each.currency}) was "
                    f"answered {type(found[each.reference]).__name__}.",
                    advice="Answer Rejected with words for finance.",
                )
        _taken({good.reference: found[good.reference]}, "A good leg beside bad ones")
        _moved_never(played, bad, "A leg was Rejected")


@scenario("leg-lost-answer", "It takes a leg, and the answer is lost: it moves once", About.RAILS)
def leg_lost_answer(stage: Stage) -> None:
    """Nobody knows; look-ups find out, and submitting again moves nothing new."""
    for played in stage.rails:
        legs = _legs(played)
        with _trouble(played, Trouble.LOST_ANSWER):
            found = _ask(stage, played, "submit", legs, may_raise=True)
        _none_is(found, api.Rejected, api.Retry, what="A leg that was taken (its answer lost)")
        after = _ask(stage, played, "lookup", legs)
        _taken(after, "After the answer was lost, a leg that was looked up")
        _taken(_ask(stage, played, "submit", legs), "A leg that came again")
        _moved_once(played, legs)


@scenario("leg-outage", "Its outside cannot be reached: no proof is claimed", About.RAILS)
def leg_outage(stage: Stage) -> None:
    """An outage is no refusal, and a look-up during it proves nothing."""
    for played in stage.rails:
        known, new = _legs(played)[:2]
        _taken(_ask(stage, played, "submit", [known]), "An ordinary leg")
        with _trouble(played, Trouble.DOWN):
            found = _ask(stage, played, "submit", [new], may_raise=True)
            looked = _ask(stage, played, "lookup", [known], may_raise=True)
        _none_is(found, api.Rejected, *TAKEN, what="A leg during an outage")
        _none_is(
            looked, api.Rejected, api.NeverOrdered, what="A known leg, looked up in an outage,"
        )
        if isinstance(_ask(stage, played, "lookup", [new])[new.reference], api.NeverOrdered):
            _taken(_ask(stage, played, "submit", [new]), "A leg after the outage")
        _moved_once(played, [known])


def _none_is(found: Outcomes, *wrong: type, what: str) -> None:
    for each in found.values():
        if isinstance(each, wrong):
            raise Failed(f"{what} was answered {type(each).__name__}.", advice=UNSURE)
