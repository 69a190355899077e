"""The fields of a form in which a person chooses what they hear: made, and read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from marketplace.errors import InvalidRequest
from marketplace.notices.domain import CATEGORIES, CHOOSABLE, Email, Preference
from marketplace.notices.marking import N_

EMAIL_WORDS: Final = {
    Email.NOW: N_("At once"),
    Email.DAILY: N_("In a daily digest"),
    Email.WEEKLY: N_("In a weekly digest"),
    Email.NONE: N_("Never"),
}


class PreferenceField(msgspec.Struct, frozen=True, kw_only=True):
    """One category in the form. Texts are msgids; names are of the form's inputs."""

    title: str
    about: str
    in_app_name: str
    in_app: bool
    email_name: str
    email: str
    choices: tuple[tuple[str, str], ...]
    """(value, msgid) of each way to be mailed."""


def preference_fields(wanted: Iterable[Preference]) -> list[PreferenceField]:
    """What `notices/_preferences.html` shows as `fields`."""
    choices = tuple((email.value, words) for email, words in EMAIL_WORDS.items())
    return [
        PreferenceField(
            title=CATEGORIES[each.category].title,
            about=CATEGORIES[each.category].about,
            in_app_name=f"in_app_{each.category.value}",
            in_app=each.in_app,
            email_name=f"email_{each.category.value}",
            email=each.email.value,
            choices=choices,
        )
        for each in wanted
    ]


def read_preference_form(form: Mapping[str, Any]) -> list[Preference]:
    """What was chosen in a posted form; categories that were not in it are left out.

    Raises InvalidRequest for a choice that does not exist.
    """
    found = []
    for category in CHOOSABLE:
        email = form.get(f"email_{category.value}")
        if email is None:
            continue
        if email not in set(Email):
            raise InvalidRequest("There is no such way to be mailed.")
        in_app = f"in_app_{category.value}" in form
        found.append(Preference(category=category, in_app=in_app, email=Email(email)))
    return found
