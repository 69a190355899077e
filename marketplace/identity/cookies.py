"""The cookie a browser keeps its session in."""

from __future__ import annotations

from datetime import timedelta

from litestar.datastructures import Cookie

from marketplace.identity.credentials import COOKIE
from marketplace.settings import Settings


def session_cookie(settings: Settings, token: str) -> Cookie:
    """The cookie of a new session."""
    return _cookie(settings, token, int(timedelta(days=settings.session_days).total_seconds()))


def no_session_cookie(settings: Settings) -> Cookie:
    """Makes the browser forget its session."""
    return _cookie(settings, "", 0)


def _cookie(settings: Settings, value: str, max_age_s: int) -> Cookie:
    return Cookie(
        key=COOKIE,
        value=value,
        max_age=max_age_s,
        path="/",
        httponly=True,
        secure=settings.secure_cookies,
        samesite="lax",
    )
