"""Who may take a category, in plain words before they choose: access by role, country or firm, the
limit for one person, and what is kept for their firm.

The exchange decides when they burn; this says the same beforehand. Conditions of other plugins are
known to the exchange alone, so they are only named as that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import Host, Lazy, PluginOffer, Principal, Who, lazy

MOST_NAMED = 10


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader may do with one category."""

    refusal: Lazy | None = None
    """Why they may not have it; None where nothing is against it."""
    notes: Sequence[Lazy] = ()
    """What else they should know."""
    kept: int = 0
    """Places that are kept for their firm now."""
    points: int | None = None
    """What a place costs them; None where it is not on offer."""


KEPT = sa.text("""
select c.sku, e.organiser_id, coalesce(greatest(a.size - (
    (select count(*) from conference_place p
     where p.category_id = c.id and p.allotment_id = a.id and p.cancelled_at is null)
    + (select coalesce(sum(r.quantity), 0) from conference_reservation r
       where r.category_id = c.id and r.allotment_id = a.id and r.state = 'held'
         and r.ends_at > marketplace_now())), 0), 0)::int as kept
from conference_category c
join conference_session s on s.id = c.session_id
join conference_event e on e.id = s.event_id
left join conference_allotment a
  on a.category_id = c.id and a.firm_reference = :firm and a.releases_at > marketplace_now()
where e.slug = :slug
""")


def standings(
    host: Host, session: Session, slug: str, principal: Principal | None
) -> Mapping[str, Standing]:
    """How a reader stands with each category of an event, by sku; strangers learn conditions."""
    who = None
    if principal is not None and principal.participant_id is not None:
        who = host.who(session, principal.participant_id)
    firm = None if who is None else who.firm_reference
    rows = session.execute(KEPT, {"slug": slug, "firm": firm}).all()
    offers: dict[str, list[PluginOffer]] = {}
    for organiser_id in {row.organiser_id for row in rows}:
        for each in host.offers(session, member_id=organiser_id):
            offers.setdefault(each.sku, []).append(each)
    return {row.sku: standing(offers.get(row.sku, []), who, row.kept) for row in rows}


def standing(offers: Sequence[PluginOffer], who: Who | None, kept: int) -> Standing:
    """By the first of a category's offers that this person may have. Pure."""
    if not offers:
        return Standing(refusal=lazy("It is not on offer at present."), kept=kept)
    found = [(refusal_of(each, who), each) for each in offers]
    refusal, best = next((pair for pair in found if pair[0] is None), found[0])
    return Standing(refusal=refusal, notes=notes_of(best), kept=kept, points=best.points)


def refusal_of(offer: PluginOffer, who: Who | None) -> Lazy | None:
    """Why this person may not have an offer; None also where nobody knows who they are. Pure."""
    terms = offer.eligibility
    if who is None:
        return None
    if terms.roles and who.role not in terms.roles:
        return lazy("It is for people with another role: %(roles)s.", roles=_listed(terms.roles))
    if terms.countries and who.country not in terms.countries:
        return lazy(
            "It is for firms in other countries: %(names)s.", names=_listed(terms.countries)
        )
    if terms.firms and who.firm_reference not in terms.firms:
        return lazy("It is for people of certain firms, and yours is not among them.")
    return None


def notes_of(offer: PluginOffer) -> list[Lazy]:
    """The conditions of an offer. Pure."""
    terms = offer.eligibility
    notes = []
    if terms.roles:
        notes.append(lazy("For people with the role: %(roles)s.", roles=_listed(terms.roles)))
    if terms.countries:
        notes.append(lazy("For firms in: %(names)s.", names=_listed(terms.countries)))
    if terms.firms:
        notes.append(lazy("For people of certain firms."))
    if terms.rules:
        notes.append(lazy("The partner has a condition, which is checked when you burn."))
    if offer.limit_per_wallet is not None:
        notes.append(lazy("One person may have at most: %(count)s.", count=offer.limit_per_wallet))
    return notes


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
