"""What givers, those who match and the operator are told about gifts to charities."""

from __future__ import annotations

from typing import Final

from marketplace.notices.domain import Category
from marketplace.notices.kind import Field, Kind
from marketplace.notices.marking import N_, NN_, Phrase

_RECEIPT: Final = {"campaign": Field.TEXT, "receipt": Field.TEXT, "path": Field.PATH}
_MONTHLY: Final = {"campaign": Field.TEXT, "points": Field.NUMBER}
_CAMPAIGN: Final = {"campaign": Field.TEXT, "path": Field.PATH}
_PAYOUT: Final = {"charity": Field.TEXT}
_MINE: Final = "/charity/mine"

DONATION_MADE: Final = Kind(
    slug="donation_made",
    category=Category.GIVING,
    subject=Phrase(N_("Your donation has arrived: %(offer)s")),
    text=NN_(
        "Thank you. %(points)s point of yours was given: %(offer)s.",
        "Thank you. %(points)s points of yours were given: %(offer)s.",
    ),
    fields={"offer": Field.TEXT, "points": Field.NUMBER, "burn": Field.ID},
    path="/rewards/%(burn)s",
    action=N_("See your donation"),
)

DONATION_RECEIPT: Final = Kind(
    slug="donation_receipt",
    category=Category.GIVING,
    subject=Phrase(N_("Receipt %(receipt)s is ready")),
    text=Phrase(N_("The receipt of your gift to %(campaign)s is ready, to read and to print.")),
    fields=_RECEIPT,
    path="%(path)s",
    action=N_("See the receipt"),
    mails=False,
)

DONATION_CORRECTED: Final = Kind(
    slug="donation_corrected",
    category=Category.GIVING,
    subject=Phrase(N_("Receipt %(receipt)s corrects an earlier one")),
    text=Phrase(
        N_(
            "Something of your gift to %(campaign)s went back. Receipt %(receipt)s says what "
            "stays of it, and takes the place of the one before."
        )
    ),
    fields=_RECEIPT,
    path="%(path)s",
    action=N_("See the receipt"),
    mails=False,
)

DONATION_TAKEN_BACK: Final = Kind(
    slug="donation_taken_back",
    category=Category.GIVING,
    subject=Phrase(N_("A dispute took back some of your gift to %(campaign)s")),
    text=NN_(
        "A dispute about your gift was upheld, so the charity gives back the money of %(points)s "
        "point. Receipt %(receipt)s says what stays, and takes the place of the one before.",
        "A dispute about your gift was upheld, so the charity gives back the money of %(points)s "
        "points. Receipt %(receipt)s says what stays, and takes the place of the one before.",
    ),
    fields={**_RECEIPT, "points": Field.NUMBER},
    path="%(path)s",
    action=N_("See the receipt"),
)

DONATION_MATCH_TAKEN_BACK: Final = Kind(
    slug="donation_match_taken_back",
    category=Category.GIVING,
    subject=Phrase(N_("A dispute took back the match of your gift to %(campaign)s")),
    text=NN_(
        "Your gift stays whole. A dispute about what was added to it was upheld, so the charity "
        "gives back the money of %(points)s point. Receipt %(receipt)s takes the place of the one "
        "before.",
        "Your gift stays whole. A dispute about what was added to it was upheld, so the charity "
        "gives back the money of %(points)s points. Receipt %(receipt)s takes the place of the one "
        "before.",
    ),
    fields={**_RECEIPT, "points": Field.NUMBER},
    path="%(path)s",
    action=N_("See the receipt"),
)

MONTHLY_MADE: Final = Kind(
    slug="monthly_made",
    category=Category.GIVING,
    subject=Phrase(N_("Your monthly gift to %(campaign)s was made")),
    text=NN_(
        "%(points)s point is on its way. You can stop the monthly gift at any time.",
        "%(points)s points are on their way. You can stop the monthly gift at any time.",
    ),
    fields=_MONTHLY,
    path=_MINE,
    action=N_("See your gifts"),
    mails=False,
)

MONTHLY_FAILED: Final = Kind(
    slug="monthly_failed",
    category=Category.GIVING,
    subject=Phrase(N_("Your monthly gift to %(campaign)s could not be made")),
    text=NN_(
        "%(points)s point could not be given: %(reason)s It is tried again next month.",
        "%(points)s points could not be given: %(reason)s It is tried again next month.",
    ),
    fields={**_MONTHLY, "reason": Field.REASON},
    path=_MINE,
    action=N_("See your gifts"),
)

MONTHLY_ENDED: Final = Kind(
    slug="monthly_ended",
    category=Category.GIVING,
    subject=Phrase(N_("Your monthly gift to %(campaign)s has ended")),
    text=NN_(
        "The campaign is over. The %(points)s point you gave every month stays with you.",
        "The campaign is over. The %(points)s points you gave every month stay with you.",
    ),
    fields=_MONTHLY,
    path="/charity",
    action=N_("See other causes"),
)

EXPIRING_PLANNED: Final = Kind(
    slug="expiring_planned",
    category=Category.ACCOUNT,
    subject=NN_(
        "On %(day)s %(points)s point will be given to %(campaign)s",
        "On %(day)s %(points)s points will be given to %(campaign)s",
    ),
    text=NN_(
        "You asked us to give points before they expire. %(points)s point of yours expires by "
        "%(until)s and will be given on %(day)s. If you do not want that, stop it before then.",
        "You asked us to give points before they expire. %(points)s points of yours expire by "
        "%(until)s and will be given on %(day)s. If you do not want that, stop it before then.",
    ),
    fields={
        "campaign": Field.TEXT,
        "points": Field.NUMBER,
        "until": Field.DATE,
        "day": Field.DATE,
    },
    shows=True,
    path="/charity/expiring",
    action=N_("See which points, or stop it"),
)

EXPIRING_MISSED: Final = Kind(
    slug="expiring_missed",
    category=Category.GIVING,
    subject=Phrase(N_("Points could not be given to %(campaign)s before they expired")),
    text=NN_(
        "%(points)s point was to be given, and could not be: %(reason)s",
        "%(points)s points were to be given, and could not be: %(reason)s",
    ),
    fields={"campaign": Field.TEXT, "points": Field.NUMBER, "reason": Field.REASON},
    path="/charity/expiring",
    action=N_("See what happened"),
)

MATCH_EXHAUSTED: Final = Kind(
    slug="match_exhausted",
    category=Category.ACCOUNT,
    subject=Phrase(N_("Your match for %(campaign)s is used up")),
    text=NN_(
        "All of the %(points)s point you promised was added to gifts. Gifts go on without it.",
        "All of the %(points)s points you promised were added to gifts. Gifts go on without them.",
    ),
    fields={"campaign": Field.TEXT, "points": Field.NUMBER, "path": Field.PATH},
    shows=True,
    path="%(path)s",
    action=N_("See the campaign"),
)

CHARITY_REVIEW_DUE: Final = Kind(
    slug="charity_review_due",
    category=Category.ACCOUNT,
    subject=Phrase(N_("%(charity)s is to be verified again by %(until)s")),
    text=Phrase(
        N_("From %(until)s on %(charity)s receives nothing, unless somebody verifies it again.")
    ),
    fields={"charity": Field.TEXT, "until": Field.DATE},
    shows=True,
    path="/charity",
    action=N_("See the causes"),
)

CHARITY_LAPSED: Final = Kind(
    slug="charity_lapsed",
    category=Category.ACCOUNT,
    subject=Phrase(N_("The verification of %(charity)s has lapsed")),
    text=Phrase(
        N_(
            "Its review was due on %(until)s. Its campaigns take no gifts until it is verified "
            "again."
        )
    ),
    fields={"charity": Field.TEXT, "until": Field.DATE},
    shows=True,
    path="/charity",
    action=N_("See the causes"),
)

CAMPAIGN_REACHED: Final = Kind(
    slug="campaign_reached",
    category=Category.GIVING,
    subject=Phrase(N_("%(campaign)s has reached its goal")),
    text=Phrase(N_("You gave to %(campaign)s, and it has come to its goal. Thank you.")),
    fields=_CAMPAIGN,
    path="%(path)s",
    action=N_("See the campaign"),
)

CAMPAIGN_CLOSED: Final = Kind(
    slug="campaign_closed",
    category=Category.GIVING,
    subject=Phrase(N_("%(campaign)s was closed")),
    text=Phrase(
        N_("%(campaign)s, to which you gave, takes no more gifts: %(reason)s Your gift stays.")
    ),
    fields={**_CAMPAIGN, "reason": Field.REASON},
    path="%(path)s",
    action=N_("See the campaign"),
)

PAYOUT_FAILED: Final = Kind(
    slug="payout_failed",
    category=Category.GIVING,
    subject=Phrase(N_("A payment to %(charity)s did not arrive")),
    text=Phrase(
        N_(
            "The bank did not carry out a payment to %(charity)s that a gift of yours is part of. "
            "Your gift stays, and the payment is made again: you hear when it has arrived."
        )
    ),
    fields=_PAYOUT,
    path=_MINE,
    action=N_("See the way of your gifts"),
)

PAYOUT_MADE_GOOD: Final = Kind(
    slug="payout_made_good",
    category=Category.GIVING,
    subject=Phrase(N_("A payment to %(charity)s was made again, and has arrived")),
    text=Phrase(
        N_(
            "A payment to %(charity)s that a gift of yours is part of had failed. It was made "
            "again, and the bank booked it on %(day)s."
        )
    ),
    fields={**_PAYOUT, "day": Field.DATE},
    path=_MINE,
    action=N_("See the way of your gifts"),
)

GIVING_KINDS: Final = (
    DONATION_MADE,
    DONATION_RECEIPT,
    DONATION_CORRECTED,
    DONATION_TAKEN_BACK,
    DONATION_MATCH_TAKEN_BACK,
    MONTHLY_MADE,
    MONTHLY_FAILED,
    MONTHLY_ENDED,
    EXPIRING_PLANNED,
    EXPIRING_MISSED,
    MATCH_EXHAUSTED,
    CHARITY_REVIEW_DUE,
    CHARITY_LAPSED,
    CAMPAIGN_REACHED,
    CAMPAIGN_CLOSED,
    PAYOUT_FAILED,
    PAYOUT_MADE_GOOD,
)
