"""What the exchange says to participants: why a burn would be refused, how a reward fares.

Numbers and days are put in at once, so these are called while a language is spoken
(`marketplace.web.i18n.speak`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Final

import msgspec

from marketplace.coalition.names import name_in
from marketplace.exchange.domain import (
    BurnStatus,
    Cause,
    Closed,
    FulfilmentState,
    OfferStatus,
)
from marketplace.exchange.errors import NotEligible
from marketplace.exchange.models import Refund
from marketplace.exchange.previewing import Foreseen
from marketplace.exchange.rewards import Reward
from marketplace.exchange.schemas import BurnPreview
from marketplace.ledger.words import reason_in_words
from marketplace.web.formats import day, day_and_hour, number
from marketplace.web.i18n import Lazy, spoken
from marketplace.web.i18n import lazy as _l

AT_MOST_NAMED: Final = 10


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """Why something cannot be had now, and what would help."""

    why: Lazy
    help: Lazy
    quantity: int | None = None
    """So many of it could be had."""
    is_wish: bool = False
    """Whether a wish is what helps: the page leads to the listing, where one is made."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a reward's way; `state` is done, now, next or failed."""

    title: Lazy | str
    state: str
    note: Lazy | str | None = None


Happened = tuple[datetime, Step]
"""A step that is over, and when it was."""


# -- before the burn -------------------------------------------------------------------------------


def obstacle(preview: BurnPreview, foreseen: Foreseen) -> Obstacle | None:
    """Why the burn would be refused, for its participant; None where it would not be."""
    if preview.refusal is None:
        return None
    match preview.refusal.code:
        case "offer_not_on_sale":
            return _not_on_sale(foreseen)
        case "plugin_closed" if foreseen.offer.closed is not None:
            return _closed(foreseen.offer.closed)
        case "not_eligible":
            return _not_eligible(foreseen)
        case "limit_reached":
            return _limit_reached(preview)
        case "sold_out":
            return _sold_out(preview)
        case "exposure_cap":
            return Obstacle(
                why=_l("A company whose points you have owes as much as it may at present."),
                help=_l(
                    "A smaller reward may go through now. After its next settlement all will; your "
                    "points stay as they are until then."
                ),
            )
        case _:
            return _too_few(preview, foreseen)


def _not_on_sale(foreseen: Foreseen) -> Obstacle:
    offer, now = foreseen.offer, foreseen.state.now
    if offer.status is OfferStatus.PAUSED:
        return Obstacle(
            why=_l("The partner has paused it."),
            help=_l("It may come back; until then something like it may suit you."),
        )
    if offer.status is OfferStatus.RETIRED or (offer.ends_at is not None and now >= offer.ends_at):
        return Obstacle(
            why=_l("It is no longer given."), help=_l("Something like it may suit you.")
        )
    if offer.starts_at is not None and now < offer.starts_at:
        return Obstacle(
            why=_l("It begins on %(day)s.", day=day(offer.starts_at)),
            help=_l("Put it on your wish list, and come back then."),
            is_wish=True,
        )
    return Obstacle(
        why=_l("It is announced, and cannot be had yet."),
        help=_l("Put it on your wish list, and come back later."),
        is_wish=True,
    )


def _closed(closed: Closed) -> Obstacle:
    match closed.cause:
        case Cause.OPERATOR | Cause.PLUGIN if closed.words:
            return Obstacle(
                why=_l("It is closed for the time being: %(words)s", words=closed.words),
                help=_l("Something like it may suit you."),
            )
        case Cause.OPERATOR | Cause.PLUGIN:
            return Obstacle(
                why=_l("It is closed for the time being."),
                help=_l("Something like it may suit you."),
            )
        case Cause.BREAKER:
            return Obstacle(
                why=_l("The partner cannot deliver just now."),
                help=_l("It opens again by itself; come back in a few minutes."),
            )
    return Obstacle(
        why=_l("The partner is not ready to deliver it yet."),
        help=_l("Put it on your wish list, and come back later."),
        is_wish=True,
    )


def _not_eligible(foreseen: Foreseen) -> Obstacle:
    terms, who = foreseen.offer.eligibility, foreseen.who
    language = spoken()
    if who is not None and terms.roles and who.role not in terms.roles:
        roles = [name_in(foreseen.names, "role", each, language.code) for each in terms.roles]
        return Obstacle(
            why=_l("It is for people with another role: %(roles)s.", roles=_listed(roles)),
            help=_l("If your role has changed, ask whoever looks after your firm's account."),
        )
    if who is not None and terms.countries and who.country not in terms.countries:
        countries = [language.locale.territories.get(each, each) for each in terms.countries]
        return Obstacle(
            why=_l("It is for other countries: %(names)s.", names=_listed(countries)),
            help=_l("Many partners offer the same in your country."),
        )
    if who is None or (terms.firms and who.firm_reference not in terms.firms):
        return Obstacle(
            why=_l("It is for people of certain firms, and yours is not among them."),
            help=_l("Something like it may suit you."),
        )
    refusal = foreseen.refusal
    words = refusal.told(language.code) if isinstance(refusal, NotEligible) else ""
    if not words:
        return Obstacle(
            why=_l("A condition of the partner cannot be checked at present."),
            help=_l("Your points stay as they are. Come back later."),
        )
    return Obstacle(
        why=_l("A condition of the partner is not met: %(words)s", words=words),
        help=_l("Meet the condition, then come back: it is checked again each time."),
    )


def _listed(names: Sequence[str]) -> str:
    more = " …" if len(names) > AT_MOST_NAMED else ""
    return ", ".join(names[:AT_MOST_NAMED]) + more


def _limit_reached(preview: BurnPreview) -> Obstacle:
    limit = preview.limit_per_wallet or 0
    left = max(limit - preview.limit_used, 0)
    why = _l(
        "The limit for one person is %(limit)s; you have had %(had)s.",
        limit=number(limit),
        had=number(preview.limit_used),
    )
    if left:
        return Obstacle(why=why, help=_l("Take fewer."), quantity=left)
    return Obstacle(why=why, help=_l("What comes back to you does not count any more."))


def _sold_out(preview: BurnPreview) -> Obstacle:
    if preview.stock:
        return Obstacle(
            why=_l("Left: %(left)s.", left=number(preview.stock)),
            help=_l("Take fewer."),
            quantity=preview.stock,
        )
    return Obstacle(
        why=_l("It is sold out."),
        help=_l("Put it on your wish list: partners fill up their stock."),
        is_wish=True,
    )


def _too_few(preview: BurnPreview, foreseen: Foreseen) -> Obstacle:
    lots = foreseen.state.wallets[preview.wallet_id].lots
    have = sum(lot.remaining for lot in lots if lot.currency == foreseen.offer.currency)
    elsewhere = sum(lot.remaining for lot in lots) - have
    why = _l(
        "It takes more points than you can burn on it. Price: %(points)s, yours: %(have)s, "
        "missing: %(short)s.",
        points=number(preview.points),
        have=number(have),
        short=number(preview.points - have),
    )
    affordable = have // foreseen.offer.points
    if affordable:
        return Obstacle(why=why, help=_l("Take fewer."), quantity=affordable)
    if elsewhere:
        return Obstacle(
            why=why,
            help=_l(
                "Points of yours in another currency: %(points)s. They cannot pay for this "
                "reward; they can pay for others.",
                points=number(elsewhere),
            ),
        )
    return Obstacle(
        why=why,
        help=_l("Put it on your wish list: we tell you as soon as you have enough."),
        is_wish=True,
    )


# -- after it --------------------------------------------------------------------------------------

WAITING: Final = {
    FulfilmentState.QUEUED: _l("Your points are held; the partner will be asked in a moment."),
    FulfilmentState.ORDERING: _l("The partner is being asked; your points are held, not spent."),
    FulfilmentState.RETRY: _l(
        "The partner could not take the order yet and is asked again; your points are held, not "
        "spent."
    ),
    FulfilmentState.PENDING: _l(
        "The partner took the order and has not delivered yet; your points are held, not spent."
    ),
    FulfilmentState.UNKNOWN: _l(
        "The partner has not confirmed yet: your points are held, not spent."
    ),
    FulfilmentState.DEAD: _l(
        "The partner does not answer, and our people look into it; your points are held, not spent."
    ),
}
WAITING_FOR_GIFT: Final = _l("Your colleague has ordered it; the partner has not delivered yet.")


def headline(reward: Reward) -> tuple[Lazy, str]:
    """How the reward stands in a few words, and their tone (good, told, care, bad)."""
    if reward.status is BurnStatus.HELD:
        return _l("On its way"), "care"
    if reward.status is BurnStatus.VOIDED:
        return _l("Points are back"), "bad"
    if reward.refunded_points == reward.points:
        return _l("Refunded"), "told"
    if reward.is_given:
        return _l("Given to %(name)s", name=reward.colleague), "told"
    if reward.refunded_points:
        return _l("Delivered, refunded in part"), "told"
    if reward.artefacts and reward.revealed_at is None:
        return _l("Ready for you"), "warm"
    return _l("Delivered"), "good"


def timeline(reward: Reward, refunds: Sequence[Refund]) -> list[Step]:
    """The way of a reward, honestly: what happened, what is happening, what is to come."""
    happened = _given(reward)
    if reward.status is BurnStatus.VOIDED:
        happened.append((_resolved_at(reward), _not_come(reward)))
    elif reward.status is BurnStatus.CAPTURED:
        happened += _delivered(reward)
        if not reward.received:
            happened += [(refund.effective_at, _refunded(refund)) for refund in refunds]
    happened.sort(key=itemgetter(0))
    steps = [_ordered(reward), *(step for _, step in happened)]
    if reward.status is BurnStatus.HELD:
        waiting = WAITING_FOR_GIFT if reward.received else WAITING[reward.fulfilment]
        steps.append(Step(title=_l("Waiting for the partner"), state="now", note=waiting))
        steps.append(Step(title=_l("Delivered"), state="next"))
    return steps


def _resolved_at(reward: Reward) -> datetime:
    return reward.resolved_at or reward.effective_at


def _delivered(reward: Reward) -> list[Happened]:
    came = _resolved_at(reward)
    steps = [(came, Step(title=_l("Delivered"), state="done", note=day_and_hour(came)))]
    if reward.revealed_at is not None:
        looked = day_and_hour(reward.revealed_at)
        # Looks are written down by the real clock: they come after what had to be before them.
        before = (came, reward.given_at or came, reward.accepted_at or came)
        step = Step(title=_l("Looked at"), state="done", note=looked)
        steps.append((max(reward.revealed_at, *before), step))
    return steps


def _not_come(reward: Reward) -> Step:
    note: Lazy | str = reason_in_words(reward.reason)
    if not reward.received:
        note = _l("All points are back. Reason: %(reason)s", reason=note)
    return Step(title=_l("It did not come"), state="failed", note=note)


def _ordered(reward: Reward) -> Step:
    when = day_and_hour(reward.effective_at)
    title: Lazy | str
    if reward.received:
        title = _l("%(name)s burnt points for you", name=reward.giver)
    else:
        title = spoken().ngettext(
            "You burnt %(points)s point", "You burnt %(points)s points", reward.points
        ) % {"points": number(reward.points)}
    return Step(title=title, state="done", note=when)


def _given(reward: Reward) -> list[Happened]:
    if reward.given_at is None:
        return []
    title = _l("Given to %(name)s", name=reward.colleague)
    if reward.received:
        title = _l("Given to you")
    given = Step(title=title, state="done", note=day_and_hour(reward.given_at))
    steps = [(reward.given_at, given)]
    if reward.accepted_at is not None and not reward.received:
        accepted = _l("%(name)s accepted it", name=reward.colleague)
        note = day_and_hour(reward.accepted_at)
        steps.append((reward.accepted_at, Step(title=accepted, state="done", note=note)))
    return steps


def _refunded(refund: Refund) -> Step:
    title = spoken().ngettext(
        "%(points)s point refunded", "%(points)s points refunded", refund.points
    ) % {"points": number(refund.points)}
    return Step(
        title=title,
        state="done",
        note=_l("%(day)s: %(reason)s", day=day_and_hour(refund.effective_at), reason=refund.reason),
    )


def seconds_in_words(seconds: float) -> tuple[str, int]:
    """A span to be said: (`second`, `minute`, `hour` or `day`, how many, rounded up)."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds > length:
            return unit, -int(-seconds // length)
    return "minute", 1
