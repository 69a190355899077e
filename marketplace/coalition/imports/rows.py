"""The rows of each file, one Struct per kind. A field without default is a column that must be
there and filled; an empty cell takes the default. docs/concepts/imports.md explains each column.
"""

from __future__ import annotations

import msgspec

from marketplace.coalition.domain import (
    Breakage,
    ContractRole,
    DisputeDefault,
    Funding,
    Netting,
)
from marketplace.coalition.imports.fields import (
    AlertShare,
    BasisPoints,
    Code,
    Count,
    Countries,
    Country,
    Currency,
    Days,
    DisputeDays,
    Email,
    Label,
    Labels,
    Locale,
    Micros,
    Moment,
    PluginSlug,
    Points,
    Positive,
    Price,
    Reference,
    References,
    Share,
    Slug,
    Text,
    YesNo,
)
from marketplace.exchange.domain import OfferStatus


class MemberRow(msgspec.Struct, frozen=True, kw_only=True):
    """A company of the coalition."""

    slug: Slug
    name: Text
    country: Country
    operator: YesNo = YesNo.NO


class ContractRow(msgspec.Struct, frozen=True, kw_only=True):
    """Dated terms of a member."""

    reference: Reference
    member: Slug
    role: ContractRole
    funding: Funding
    currency: Currency
    price_per_point: Price
    pooled_bps: Share | None = None
    fee_bps: BasisPoints = BasisPoints(0)
    breakage: Breakage = Breakage.OPERATOR
    exposure_cap: Micros | None = None
    cap_alert_bps: AlertShare = AlertShare(8_000)
    dispute_days: DisputeDays = DisputeDays(30)
    dispute_default: DisputeDefault = DisputeDefault.REJECTED
    netting: Netting = Netting.MULTILATERAL
    points_valid_days: Days | None = None
    valid_from: Moment
    valid_to: Moment | None = None


class FirmRow(msgspec.Struct, frozen=True, kw_only=True):
    """A customer company."""

    reference: Reference
    name: Text
    country: Country
    sponsor: Slug | None = None
    pool: YesNo = YesNo.NO


class ParticipantRow(msgspec.Struct, frozen=True, kw_only=True):
    """A person of a firm."""

    reference: Reference
    firm: Reference
    name: Text
    email: Email | None = None
    role: Label
    locale: Locale = Locale("en")


class OfferRow(msgspec.Struct, frozen=True, kw_only=True):
    """Something points can be burnt on."""

    reference: Reference
    kind: Label
    name: Text
    acceptor: Slug
    plugin: PluginSlug
    sku: Reference
    points: Points
    cost: Micros
    currency: Currency
    stock: Count | None = None
    limit_per_wallet: Positive | None = None
    status: OfferStatus
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    eligible_roles: Labels = Labels()
    eligible_countries: Countries = Countries()
    eligible_firms: References = References()


class NameRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a code is called."""

    code: Code
    name_en: Text | None = None
    name_ru: Text | None = None
    name_pl: Text | None = None
    name_it: Text | None = None


class IssuanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """Points for one participant."""

    reference: Reference
    issuer: Slug
    participant: Reference
    points: Points
    effective_at: Moment | None = None
    expires_at: Moment | None = None


class OwnIssuanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """The same in the file of one issuer, who need not be named."""

    reference: Reference
    participant: Reference
    points: Points
    issuer: Slug | None = None
    effective_at: Moment | None = None
    expires_at: Moment | None = None
