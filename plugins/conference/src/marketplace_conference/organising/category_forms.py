"""The form of a category, read: what is sold alike, where its places are from, what it costs. Pure.

A category has places of its own (a quota that it is the first to name), shares those of another
category, or has as many as the plan has seats.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from marketplace.api import lazy
from marketplace_conference.organising.forms import SKU, Form, code_of, money_field, name_fields
from marketplace_conference.schemas import NewCategory, NewEvent

OWN, WITH, PLAN = "own", "with", "plan"
MOST_PLACES: Final = 1_000_000
MOST_AT_ONCE: Final = 1_000
MOST_POINTS: Final = 1_000_000_000_000


class Pool(msgspec.Struct, frozen=True):
    """Places that a category may share: a quota, and who has it."""

    code: str
    size: int
    names: list[str]


def pools(of: NewEvent, sku: str) -> list[Pool]:
    """What this category may share, or shares: every quota that another one names."""
    named: dict[str, list[str]] = {}
    for each in of.categories:
        if each.quota is not None and each.sku != sku:
            named.setdefault(each.quota, []).append(each.name)
    return [Pool(code, of.quotas[code], names) for code, names in named.items()]


def owned(of: NewEvent, sku: str) -> str | None:
    """The quota that is this category's own: the first that names one has it."""
    owners: dict[str, str] = {}
    for each in of.categories:
        if each.quota is not None:
            owners.setdefault(each.quota, each.sku)
    return next((code for code, owner in owners.items() if owner == sku), None)


def read_category(form: Form, of: NewEvent, sku: str, *, priced: bool) -> NewEvent | None:
    """The event with this category as typed, with one more where `sku` is empty.

    What a category is fixed in (its session, whether its seats have numbers) is not read again;
    `priced`: neither is its price, for it is on offer.
    """
    present = next((each for each in of.categories if each.sku == sku), None)
    name = form.line("name")
    names = form.names(of.language, present.names or {} if present else {})
    part, numbered = form["session"], form.has("numbered")
    if present is not None:
        part, numbered = present.session, present.numbered
    elif part not in {each.code for each in of.sessions}:
        form.wrong("session", lazy("Choose a session."))
    code, quotas = _places(form, of, present, name, numbered)
    most = form.number("most", 1, MOST_AT_ONCE, default=10)
    points, cost = _price(form, present, priced)
    sku = sku or _sku(form, of, name)
    if form.problems:
        return None
    made = NewCategory(
        sku=sku,
        name=name,
        names=names,
        session=part,
        quota=code,
        numbered=numbered,
        must_choose=numbered and form.has("must_choose"),
        most_at_once=most,
        points=points,
        cost_micros=cost,
    )
    kept = [made if each.sku == sku else each for each in of.categories]
    return replace(of, quotas=quotas, categories=kept if present else [*kept, made])


def _places(
    form: Form, of: NewEvent, present: NewCategory | None, name: str, numbered: bool
) -> tuple[str | None, dict[str, int]]:
    """The quota of the category, and the quotas of the event with it."""
    source, quotas = form["places"], dict(of.quotas)
    if source == OWN and numbered and not form["size"].strip():
        source = form.typed["places"] = PLAN  # no number was said, and the plan says one
    if source == PLAN:
        if not numbered:
            form.wrong("places", lazy("Only numbered seats are counted by a plan."))
        return None, quotas
    others = pools(of, present.sku if present else "")
    if source == WITH and others:
        code = form["with"]
        if code not in {each.code for each in others}:
            form.wrong("with", lazy("Choose whose places it shares."))
        return code, quotas
    if source != OWN:
        form.wrong("places", lazy("Say where its places are from."))
        return None, quotas
    code = owned(of, present.sku if present else "") or code_of(name, quotas, "places")
    quotas[code] = form.number("size", 0, MOST_PLACES)
    return code, quotas


def _price(form: Form, present: NewCategory | None, priced: bool) -> tuple[int | None, int | None]:
    """Points and cost, both or neither."""
    if priced:
        return (present.points, present.cost_micros) if present else (None, None)
    cost = form.micros("cost")
    points = form.number("points", 1, MOST_POINTS) if form["points"].strip() else None
    if points is None and cost is not None:
        form.wrong("points", lazy("Say how many points it costs too."))
    if points is not None and cost is None:
        form.wrong("cost", lazy("Say what you are paid for a place too; 0 is possible."))
    return points, cost


def _sku(form: Form, of: NewEvent, name: str) -> str:
    taken = [each.sku for each in of.categories]
    typed = form["sku"].strip()
    if typed and not SKU.fullmatch(typed):
        form.wrong("sku", lazy("Letters, digits, dots, dashes and underscores only, at most 64."))
    elif typed in taken:
        form.wrong("sku", lazy("Another category has this one."))
    return typed or code_of(f"{of.slug} {name}", taken, of.slug)


def category_fields(of: NewEvent, present: NewCategory | None) -> dict[str, str]:
    """A category as its form shows it."""
    if present is None:
        part = of.sessions[0].code if len(of.sessions) == 1 else ""
        return {"session": part, "places": OWN, "most": "10"}
    own = owned(of, present.sku)
    source = PLAN if present.quota is None else OWN if own else WITH
    return {
        "name": present.name,
        **name_fields(present.names or {}),
        "sku": present.sku,
        "session": present.session,
        "numbered": "yes" if present.numbered else "",
        "places": source,
        "size": str(of.quotas[own]) if own else "",
        "with": present.quota or "" if source == WITH else "",
        "must_choose": "yes" if present.must_choose else "",
        "most": str(present.most_at_once),
        "points": "" if present.points is None else str(present.points),
        "cost": money_field(present.cost_micros),
    }
