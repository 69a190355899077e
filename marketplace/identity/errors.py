"""What can go wrong when somebody signs in or manages credentials."""

from __future__ import annotations

from marketplace.errors import Conflict, MarketplaceError, NotAllowed, NotAuthenticated


class WrongPassword(NotAuthenticated):
    """The same answer for an unknown e-mail, a wrong password and a disabled person."""

    code = "wrong_password"
    title = "E-mail and password do not match"


class WrongPresentPassword(NotAllowed):
    code = "wrong_present_password"
    title = "That is not your present password"


class LinkNotUsable(NotAuthenticated):
    """The same answer for a link that was used, has expired or never was."""

    code = "link_not_usable"
    title = "This link has been used or has expired"


class TooManyAttempts(MarketplaceError):
    code = "too_many_attempts"
    title = "Too many failed sign-ins for this e-mail"
    status = 429

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Try again in {retry_after_s} seconds.")
        self.headers["Retry-After"] = str(retry_after_s)


class CrossSiteRequest(NotAllowed):
    code = "cross_site_request"
    title = "A page of another site may not act with your session"


class PersonExists(Conflict):
    code = "person_exists"
    title = "Somebody with this e-mail exists already"
