"""Every kind of notice: what it says, of which category it is, where it leads.

To add one: a `Kind` in `KINDS`; those of settlements are in `money_kinds`, those of charity in
`giving_kinds`. Texts are msgids with
`%(field)s` places; each field is named in `fields` with how it is shown, and `notify` refuses a
context that does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from marketplace.notices.domain import Category
from marketplace.notices.giving_kinds import GIVING_KINDS
from marketplace.notices.kind import Field, Kind
from marketplace.notices.marking import N_, NN_, Phrase
from marketplace.notices.money_kinds import MONEY_KINDS
from marketplace.web.i18n import NAMES, SOURCE

OFFER_ID: Final = "offer_id"
"""What a context may hold besides its fields: the offer that `offer` is the name of, so that it is
shown as its describer calls it in the reader's language (`marketplace.faces`)."""
LANGUAGE: Final = "language"
"""Field that any context may have: the language its reader has just been reading. The mail is in
it where they have chosen none themselves; the one their firm names comes after it."""
WISHED: Final = "cancelled"
"""Reason of a void that somebody asked for; `exchange.cancelling` gives it."""
REASONS: Final = {
    WISHED: N_("it was cancelled."),
    "hold_timeout": N_("the partner did not take the order in time."),
    "insufficient_points": N_("there were not enough points."),
    "offer_not_on_sale": N_("the campaign takes no gifts now."),
    "campaign_over": N_("the campaign is over."),
    "charity_not_verified": N_("the charity is not verified now."),
    "plugin_closed": N_("the charity cannot receive now."),
    "exposure_cap": N_("an issuer of the points has to settle first."),
    "other_points": N_("other points than those announced would have gone."),
    "": N_("no reason was given."),
}
"""Reasons of ours; suppliers give words of their own."""

_REWARD: Final = {"offer": Field.TEXT, "points": Field.NUMBER, "burn": Field.ID}
_GIFT_TO: Final = {"sender": Field.TEXT, "offer": Field.TEXT, "burn": Field.ID}
_WISH: Final = {"title": Field.TEXT, "points": Field.NUMBER, "path": Field.PATH}
_EXPIRY: Final = {"points": Field.NUMBER, "until": Field.DATE}
_EXPIRY_TIPS: Final = (
    N_("The points that expire first are always burnt first: you need not choose."),
    N_("Points that would expire can become a donation or a gift to a colleague."),
    N_("Your wallet lists every date on which points expire."),
)

REWARD_DELIVERED: Final = Kind(
    slug="reward_delivered",
    category=Category.REWARDS,
    subject=Phrase(N_("Your reward is here: %(offer)s")),
    text=NN_(
        "%(offer)s is ready for you. It took %(points)s point.",
        "%(offer)s is ready for you. It took %(points)s points.",
    ),
    fields=_REWARD,
    path="/rewards/%(burn)s",
    action=N_("See your reward"),
    tips=(
        N_("A code stays in your rewards after you have seen it: you need not write it down."),
        N_("A code can be shown as a QR code and printed from your rewards."),
        N_("A reward can be sent to a colleague as a gift."),
    ),
)

BURN_VOIDED: Final = Kind(
    slug="burn_voided",
    category=Category.REWARDS,
    subject=NN_(
        "%(points)s point is back: %(offer)s could not be delivered",
        "%(points)s points are back: %(offer)s could not be delivered",
    ),
    text=NN_(
        "%(offer)s could not be delivered: %(reason)s "
        "Your %(points)s point is back in your wallet.",
        "%(offer)s could not be delivered: %(reason)s "
        "Your %(points)s points are back in your wallet.",
    ),
    fields={**_REWARD, "reason": Field.REASON},
    path="/rewards/%(burn)s",
    action=N_("See what happened"),
    tips=(
        N_("While an order is open your points are held, not spent."),
        N_("The catalog shows which rewards are delivered at once."),
    ),
)

BURN_CANCELLED: Final = Kind(
    slug="burn_cancelled",
    category=Category.REWARDS,
    subject=Phrase(N_("Cancelled: %(offer)s")),
    text=NN_(
        "%(offer)s was cancelled. Your %(points)s point is back in your wallet.",
        "%(offer)s was cancelled. Your %(points)s points are back in your wallet.",
    ),
    fields=_REWARD,
    path="/rewards/%(burn)s",
    action=N_("See what happened"),
    mails=False,
)

REFUND: Final = Kind(
    slug="refund",
    category=Category.REWARDS,
    subject=NN_("%(points)s point refunded: %(offer)s", "%(points)s points refunded: %(offer)s"),
    text=NN_(
        "%(offer)s: %(points)s point is back in your wallet. Reason: %(reason)s",
        "%(offer)s: %(points)s points are back in your wallet. Reason: %(reason)s",
    ),
    fields={**_REWARD, "reason": Field.REASON},
    path="/rewards/%(burn)s",
    action=N_("See what happened"),
)

POINTS_ISSUED: Final = Kind(
    slug="points_issued",
    category=Category.POINTS,
    subject=NN_("%(points)s new point from %(issuer)s", "%(points)s new points from %(issuer)s"),
    text=NN_("%(issuer)s gave you %(points)s point.", "%(issuer)s gave you %(points)s points."),
    fields={"points": Field.NUMBER, "issuer": Field.TEXT},
    path="/wallet",
    action=N_("Open your wallet"),
    tips=(
        N_("Put a reward on your wish list, and we tell you when you can afford it."),
        N_("Your wallet explains every line of your history."),
    ),
)

POINTS_EXPIRE_30: Final = Kind(
    slug="points_expire_30",
    category=Category.EXPIRY,
    subject=NN_("%(points)s point expires by %(until)s", "%(points)s points expire by %(until)s"),
    text=NN_(
        "%(points)s point of yours expires by %(until)s. There is still time to use it.",
        "%(points)s points of yours expire by %(until)s. There is still time to use them.",
    ),
    fields=_EXPIRY,
    path="/wallet",
    action=N_("See what expires when"),
    tips=_EXPIRY_TIPS,
)

POINTS_EXPIRE_7: Final = Kind(
    slug="points_expire_7",
    category=Category.EXPIRY,
    subject=NN_(
        "Last days: %(points)s point expires by %(until)s",
        "Last days: %(points)s points expire by %(until)s",
    ),
    text=NN_(
        "%(points)s point of yours expires by %(until)s. After that it is gone.",
        "%(points)s points of yours expire by %(until)s. After that they are gone.",
    ),
    fields=_EXPIRY,
    path="/wallet",
    action=N_("See what expires when"),
    tips=_EXPIRY_TIPS,
)

GIFT_RECEIVED: Final = Kind(
    slug="gift_received",
    category=Category.GIFTS,
    subject=Phrase(N_("%(sender)s sent you a gift: %(offer)s")),
    text=Phrase(N_("%(sender)s burnt points of their own to give you this: %(offer)s.")),
    fields={"sender": Field.TEXT, "offer": Field.TEXT, "path": Field.PATH},
    path="%(path)s",
    action=N_("Open your gift"),
)

GIFT_READY: Final = Kind(
    slug="gift_ready",
    category=Category.GIFTS,
    subject=Phrase(N_("Your gift is ready: %(offer)s")),
    text=Phrase(N_("%(offer)s, a gift from %(sender)s, was delivered and is ready for you.")),
    fields=_GIFT_TO,
    path="/rewards/%(burn)s",
    action=N_("Open your gift"),
    tips=(N_("A code can be shown as a QR code and printed from your rewards."),),
)

GIFT_DELIVERED: Final = Kind(
    slug="gift_delivered",
    category=Category.GIFTS,
    subject=Phrase(N_("Your gift was delivered to %(colleague)s: %(offer)s")),
    text=NN_(
        "%(colleague)s has %(offer)s now. It took %(points)s point of yours.",
        "%(colleague)s has %(offer)s now. It took %(points)s points of yours.",
    ),
    fields={**_REWARD, "colleague": Field.TEXT},
    path="/rewards/%(burn)s",
    action=N_("See your gift"),
)

GIFT_FAILED: Final = Kind(
    slug="gift_failed",
    category=Category.GIFTS,
    subject=Phrase(N_("A gift could not be delivered: %(offer)s")),
    text=Phrase(N_("%(offer)s, a gift from %(sender)s, could not be delivered: %(reason)s")),
    fields={**_GIFT_TO, "reason": Field.REASON},
    path="/rewards/%(burn)s",
    action=N_("See what happened"),
)

WISH_AFFORDABLE: Final = Kind(
    slug="wish_affordable",
    category=Category.WISHES,
    subject=Phrase(N_("You can have it now: %(title)s")),
    text=NN_(
        "%(title)s is on your wish list and costs %(points)s point. You have enough.",
        "%(title)s is on your wish list and costs %(points)s points. You have enough.",
    ),
    fields=_WISH,
    path="%(path)s",
    action=N_("See your wish"),
    tips=(N_("Before you burn, you see your points before and after, and which ones go."),),
)

WISH_NEARLY_GONE: Final = Kind(
    slug="wish_nearly_gone",
    category=Category.WISHES,
    subject=Phrase(N_("Nearly gone: %(title)s")),
    text=NN_(
        "%(title)s is on your wish list. Only %(left)s is left.",
        "%(title)s is on your wish list. Only %(left)s are left.",
        "left",
    ),
    fields={**_WISH, "left": Field.NUMBER},
    path="%(path)s",
    action=N_("See your wish"),
)

SIGN_IN_LINK: Final = Kind(
    slug="sign_in_link",
    category=Category.ACCOUNT,
    subject=Phrase(N_("Your link to sign in")),
    text=NN_(
        "Open this link to sign in. It works once, for %(minutes)s minute. "
        "If you did not ask for it, ignore this mail: nobody gets in without the link.",
        "Open this link to sign in. It works once, for %(minutes)s minutes. "
        "If you did not ask for it, ignore this mail: nobody gets in without the link.",
        "minutes",
    ),
    fields={"minutes": Field.NUMBER},
    path="/sign-in",
    action=N_("Sign in"),
    in_app=False,
    secret=True,
    life=timedelta(hours=1),
)

_ENDPOINT: Final = {"url": Field.TEXT, "endpoint": Field.ID}

WEBHOOK_STOPPED: Final = Kind(
    slug="webhook_stopped",
    category=Category.ACCOUNT,
    subject=Phrase(N_("Your webhook was stopped: %(url)s")),
    text=Phrase(
        N_(
            "%(url)s has taken no message for three days, so we stopped calling it. "
            "Activate it again when it works, and have what failed delivered again."
        )
    ),
    fields=_ENDPOINT,
    path="/partner/webhooks/%(endpoint)s",
    action=N_("See what it answered"),
)

WEBHOOK_GONE: Final = Kind(
    slug="webhook_gone",
    category=Category.ACCOUNT,
    subject=Phrase(N_("Your webhook has ended: %(url)s")),
    text=Phrase(
        N_(
            "%(url)s answered that it is gone (410) and wants no more messages. "
            "Nothing is kept for it unless you activate it again."
        )
    ),
    fields=_ENDPOINT,
    path="/partner/webhooks/%(endpoint)s",
    action=N_("See what it answered"),
)

PLUGIN_NOTICE: Final = Kind(
    slug="plugin_notice",
    category=Category.REWARDS,
    subject=Phrase("%(subject)s"),
    text=Phrase("%(text)s"),
    fields={},
    path="%(path)s",
    action="",
)
"""News of a plugin about an order of its own; its words come with it (`of_plugins`)."""

KINDS: Final[dict[str, Kind]] = {
    kind.slug: kind
    for kind in (
        REWARD_DELIVERED,
        BURN_VOIDED,
        BURN_CANCELLED,
        REFUND,
        POINTS_ISSUED,
        POINTS_EXPIRE_30,
        POINTS_EXPIRE_7,
        GIFT_RECEIVED,
        GIFT_READY,
        GIFT_DELIVERED,
        GIFT_FAILED,
        WISH_AFFORDABLE,
        WISH_NEARLY_GONE,
        SIGN_IN_LINK,
        WEBHOOK_STOPPED,
        WEBHOOK_GONE,
        PLUGIN_NOTICE,
        *MONEY_KINDS,
        *GIVING_KINDS,
    )
}


PATTERNS: Final = {
    Field.ID: re.compile(r"[0-9A-Za-z-]+"),
    Field.PATH: re.compile(r"/(?![/\\])[!-~]*"),
    Field.MOMENT: re.compile(r"\d{4}-\d\d-\d\dT.*"),
    Field.DATE: re.compile(r"\d{4}-\d\d-\d\d(T.*)?"),
}
"""What some fields must look like. A path is of ours: never of another host."""


def check_context(kind: Kind, context: Mapping[str, Any]) -> None:
    """Raise ValueError where a context does not hold exactly the fields of its kind.

    One with an `offer` may also say which that is (OFFER_ID), any in which language (LANGUAGE).
    """
    if OFFER_ID in context and ("offer" not in kind.fields or not _is_id(context[OFFER_ID])):
        raise ValueError(f"{OFFER_ID} of {kind.slug} is no id: {context[OFFER_ID]!r}")
    if context.get(LANGUAGE, SOURCE) not in NAMES:
        raise ValueError(f"{LANGUAGE} of {kind.slug} is none of ours: {context[LANGUAGE]!r}")
    if set(context) - {OFFER_ID, LANGUAGE} != set(kind.fields):
        raise ValueError(f"{kind.slug} takes {sorted(kind.fields)}, not {sorted(context)}")
    for name, field in kind.fields.items():
        value = context[name]
        fits = type(value) is int if field is Field.NUMBER else isinstance(value, str)
        if not fits or (field in PATTERNS and not PATTERNS[field].fullmatch(value)):
            raise ValueError(f"{name} of {kind.slug} is no {field.value}: {value!r}")


def _is_id(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(UUID(value))
    except ValueError:
        return False
