"""The forms of an offer: what their fields mean, and an offer put into fields."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from marketplace.coalition.imports import fields
from marketplace.exchange.domain import Eligibility, OfferStatus
from marketplace.exchange.offer_queries import OwnOfferView
from marketplace.exchange.offering import OfferChanges, OfferDraft
from marketplace.web.filled import Filled, moment_field
from marketplace.web.i18n import lazy as _l

RULE = "rule:"
"""Before the name of an eligibility rule: the name of its box."""


def read_draft(form: Filled) -> OfferDraft | None:
    """The offer that was typed; None where something is wrong, which the form then says."""
    reference = form.take("reference", fields.Reference)
    changes = read_changes(form)
    given: dict[str, Any] = {
        "kind": form.take("kind", fields.Label),
        "plugin": form.take("plugin", fields.PluginSlug, words=_l("Choose who delivers it.")),
        "sku": form.take("sku", fields.Reference),
        "points": form.take("points", fields.Points),
        "cost_micros": form.take("cost", fields.Micros),
        "currency": form.take("currency", fields.Currency),
        "stock": form.take("stock", fields.Count, required=False),
    }
    if form.problems:
        return None
    on_sale = form["status"] == OfferStatus.ON_SALE
    return OfferDraft(
        reference=reference,
        status=OfferStatus.ON_SALE if on_sale else OfferStatus.ANNOUNCED,
        **given,
        **structs.asdict(changes),
    )


def read_changes(form: Filled) -> OfferChanges:
    """What of the typed may be amended; not to be used where the form has problems."""
    name = form.take("name", fields.Text)
    starts_at = form.take("starts_at", fields.Moment, required=False)
    ends_at = form.take("ends_at", fields.Moment, required=False)
    if starts_at and ends_at and ends_at <= starts_at:
        form.wrong("ends_at", _l("It ends before it begins."))
    eligibility = Eligibility(
        roles=tuple(form.take("eligible_roles", fields.Labels, (), required=False)),
        countries=tuple(form.take("eligible_countries", fields.Countries, (), required=False)),
        firms=tuple(form.take("eligible_firms", fields.References, (), required=False)),
        rules=tuple(name.removeprefix(RULE) for name in form.typed if name.startswith(RULE)),
    )
    return OfferChanges(
        name=name,
        limit_per_wallet=form.take("limit", fields.Positive, required=False),
        starts_at=starts_at,
        ends_at=ends_at,
        eligibility=eligibility,
    )


def fields_of(offer: OwnOfferView) -> Filled:
    """An offer as its form shows it."""
    eligibility = offer.eligibility
    return Filled(
        {
            "name": offer.name,
            "limit": str(offer.limit_per_wallet or ""),
            "starts_at": moment_field(offer.starts_at),
            "ends_at": moment_field(offer.ends_at),
            "eligible_roles": "; ".join(eligibility.roles),
            "eligible_countries": "; ".join(eligibility.countries),
            "eligible_firms": "; ".join(eligibility.firms),
            "version": str(offer.version),
            **{RULE + name: "yes" for name in eligibility.rules},
        }
    )
