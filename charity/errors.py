"""What charity refuses."""

from __future__ import annotations

from marketplace.errors import Conflict, InvalidRequest, NotFound


class BadNumber(InvalidRequest):
    """A registration number or an account that cannot be one."""

    code = "charity_bad_number"
    title = "The number cannot be right"


class CharityNotVerified(Conflict):
    """The charity is not verified, suspended, or its verification has lapsed."""

    code = "charity_not_verified"
    title = "The charity cannot receive gifts now"


class GiftFinal(Conflict):
    """The time to take a gift back is over."""

    code = "gift_final"
    title = "The gift cannot be taken back any more"


class CampaignOver(Conflict):
    """The campaign is closed."""

    code = "campaign_over"
    title = "The campaign is closed"


class UnknownCause(NotFound):
    """No such charity, campaign, match, gift, schedule or receipt that is yours to see."""

    code = "unknown_cause"
    title = "There is no such thing in charity"
