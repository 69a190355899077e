"""The forms of the registry and of campaigns: fields as they were typed, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from charity.campaigns import NewCampaign, Step, Text
from charity.domain import LOCALES, LONGEST_STORY, LONGEST_TITLE, MatchMode, Surplus
from charity.matching import NewMatch
from charity.registry import NewCharity
from marketplace.coalition.imports import fields
from marketplace.errors import MarketplaceError
from marketplace.letters import hidden_in
from marketplace.money import decimal_from_micros
from marketplace.web.filled import Filled, moment_field
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l

STEPS: Final = 4
"""Milestones that the form has room for."""
PERCENT_BPS: Final = 100
A_DAY: Final = _l("A day such as 2027-01-31.")
A_LINE: Final = _l("One line of at most 120 visible characters, please.")
SAID: Final[dict[tuple[str, str], Lazy]] = {
    ("charity_bad_number", "number"): _l("This cannot be a registration number of that country."),
    ("charity_bad_number", "iban"): _l("This is no IBAN."),
    ("invalid_request", "country"): _l("There is no such country."),
    ("invalid_request", "member"): _l("This member cannot do that: its contract, or what it is."),
    ("invalid_request", "review_due_on"): _l(
        "It was verified today or before, and the review is due after today."
    ),
    ("invalid_request", "goal_micros"): _l(
        "The goal is worth one point at least, and 1,000,000,000 at most."
    ),
    ("invalid_request", "rate_micros"): _l("A point is worth something, and 1,000 at most."),
    ("invalid_request", "milestones"): _l("Milestones differ and lie on the way to the goal."),
    ("invalid_request", "ends_at"): _l("It ends before it starts."),
    ("invalid_request", "grace_minutes"): _l("A week at most: 10,080 minutes."),
    ("invalid_request", "currency"): _l("There is no such currency."),
    ("invalid_request", "cap_points"): _l("The cap is more money than an account holds."),
    ("conflict", "slug"): _l("This address is taken."),
}
FIELDS: Final = {
    "goal_micros": "goal",
    "milestones": "step_amount_0",
    "texts": "default_locale",
    "rate_micros": "rate",
    "cap_points": "cap",
}
"""By what an error names, the field of the form that shows it."""


def note(form: Filled, error: MarketplaceError, default: str) -> None:
    """Show what a use case refused beside its field; `default`: where it names none."""
    named = str(error.extra.get("field", ""))
    words = SAID.get((error.code, named)) or SAID.get(("invalid_request", named))
    form.wrong(FIELDS.get(named, named) or default, words or Lazy(error.detail or error.title))


def day_of(form: Filled, name: str) -> date:
    """A day; the first of all days where it is none, which is noted."""
    try:
        return date.fromisoformat(form[name].strip())
    except ValueError:
        form.wrong(name, A_DAY)
        return date.min


def read_charity(form: Filled) -> NewCharity:
    """A charity to be registered; wrong where the form has problems."""
    return NewCharity(
        slug=form.take("slug", fields.Slug, ""),
        member=form.take("member", fields.Slug, ""),
        legal_name=form.take("legal_name", fields.Text, ""),
        country=form.take("country", fields.Text, "").upper(),
        number=form.take("number", fields.Text, ""),
        iban=form.take("iban", fields.Text, ""),
    )


def read_texts(form: Filled, default_locale: str) -> dict[str, Text]:
    """Title and story by language; the default one needs a title, as does every story."""
    found = {}
    for code in LOCALES:
        title, story = form[f"title_{code}"].strip(), form[f"story_{code}"].strip()
        if len(title) > LONGEST_TITLE or hidden_in(title):
            form.wrong(f"title_{code}", A_LINE)
        if len(story) > LONGEST_STORY or hidden_in(story, lines=True):
            form.wrong(f"story_{code}", _l("At most 10,000 visible characters, please."))
        if title:
            found[code] = Text(title=title, story=story)
        elif story or code == default_locale:
            form.wrong(f"title_{code}", _l("Fill this in."))
    return found


def read_campaign(form: Filled, charity: str) -> NewCampaign | None:
    """The campaign that was typed; None where something is wrong, which the form then says."""
    default = form["default_locale"] if form["default_locale"] in LOCALES else LOCALES[0]
    surplus = form["surplus"]
    if surplus not in set(Surplus):
        form.wrong("surplus", _l("Choose one; it is fixed when the campaign starts."))
        surplus = Surplus.GENERAL_FUND
    slug = form.take("slug", fields.Slug, "")
    texts = read_texts(form, default)
    made = NewCampaign(
        slug=slug,
        charity=charity,
        currency=form.take("currency", fields.Currency, ""),
        rate_micros=form.take("rate", fields.Micros, 0),
        goal_micros=form.take("goal", fields.Micros, 0),
        surplus=Surplus(surplus),
        texts=texts,
        default_locale=default,
        starts_at=form.take("starts_at", fields.Moment, required=False),
        ends_at=form.take("ends_at", fields.Moment, required=False),
        grace_minutes=form.take("grace_minutes", fields.Count, 0),
        designation=form.take("designation", fields.Text, "", required=False),
        milestones=_steps(form, default),
    )
    return None if form.problems else made


def _steps(form: Filled, default: str) -> list[Step]:
    found = []
    for row in range(STEPS):
        words = {
            code: form[f"step_{code}_{row}"].strip()
            for code in LOCALES
            if form[f"step_{code}_{row}"].strip()
        }
        for code, text in words.items():
            if len(text) > LONGEST_TITLE or hidden_in(text):
                form.wrong(f"step_{code}_{row}", A_LINE)
        amount = form.take(f"step_amount_{row}", fields.Micros, required=bool(words))
        if amount is not None and default not in words:
            form.wrong(f"step_{default}_{row}", _l("Fill this in."))
        if amount is not None:
            found.append(Step(amount_micros=amount, words=words))
    return found


def read_match(form: Filled, campaign: str) -> NewMatch | None:
    """A match that was typed; None where something is wrong."""
    percent = form.take("percent", fields.Positive, 0)
    mode = form["mode"] if form["mode"] in set(MatchMode) else MatchMode.BILLED
    made = NewMatch(
        campaign=campaign,
        member=form.take("member", fields.Slug, ""),
        ratio_bps=percent * PERCENT_BPS,
        cap_points=form.take("cap", fields.Points, 0),
        mode=MatchMode(mode),
    )
    return None if form.problems else made


def fields_of(new: NewCampaign) -> Filled:
    """A campaign put into the fields of its form."""
    typed = {
        "slug": new.slug,
        "currency": new.currency,
        "rate": _plain(new.rate_micros),
        "goal": _plain(new.goal_micros),
        "surplus": new.surplus.value,
        "default_locale": new.default_locale,
        "starts_at": moment_field(new.starts_at),
        "ends_at": moment_field(new.ends_at),
        "grace_minutes": str(new.grace_minutes),
        "designation": new.designation,
        **texts_typed(new.texts),
    }
    for row, step in enumerate(new.milestones[:STEPS]):
        typed[f"step_amount_{row}"] = _plain(step.amount_micros)
        typed |= {f"step_{code}_{row}": words for code, words in step.words.items()}
    return Filled(typed)


def _plain(micros: int) -> str:
    return f"{Decimal(decimal_from_micros(micros)).normalize():f}"


def texts_typed(texts: Mapping[str, Text]) -> dict[str, str]:
    """Title and story by language, as fields."""
    titles = {f"title_{code}": text.title for code, text in texts.items()}
    return titles | {f"story_{code}": text.story for code, text in texts.items()}
