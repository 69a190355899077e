"""Everything a partner plugin may import: Protocols, Structs, errors and `hookimpl`.

Nothing else in `marketplace` is stable for plugins (`marketplace.testing` excepted). Arguments are
frozen Structs; points are integers, money is integer micros, times are aware UTC datetimes. The
parts are written in `marketplace/contract/`.
"""

from __future__ import annotations

import pluggy

from marketplace.contract.facts import BurnFact, IssueFact, RefundFact
from marketplace.contract.host import Host, MemberName, OpenOrder, PlacedOrder
from marketplace.contract.notices import Notice, NoticeOutcome, Notifier, Sent
from marketplace.contract.orders import (
    Artefact,
    Fulfilled,
    Health,
    NeverOrdered,
    Order,
    Outcome,
    Pending,
    Rejected,
    Retry,
    Supplier,
    Unknown,
)
from marketplace.contract.rails import (
    Booked,
    Direction,
    Leg,
    LegOutcome,
    Rail,
    Returned,
    Submitted,
)
from marketplace.contract.registering import (
    Command,
    EligibilityRule,
    OfferDescriber,
    OfferFace,
    OfferPicture,
    Pages,
    PeriodicTask,
    PluginTables,
    RewardKind,
    Routes,
    Who,
    plugin_metadata,
)
from marketplace.errors import (
    Conflict,
    IdempotencyKeyReused,
    InvalidRequest,
    MarketplaceError,
    NotAllowed,
    NotFound,
    TooManyRequests,
)
from marketplace.exchange.domain import Eligibility
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.web.access import access
from marketplace.web.i18n import Lazy, lazy
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page

API_VERSION = "1.0"
"""Version of this contract."""

hookimpl = pluggy.HookimplMarker("marketplace")
"""Marks a plugin's hook implementations."""

__all__ = [
    "API_VERSION",
    "Artefact",
    "Booked",
    "BurnFact",
    "Command",
    "Conflict",
    "Direction",
    "Eligibility",
    "EligibilityRule",
    "Fulfilled",
    "Health",
    "Host",
    "Html",
    "IdempotencyKeyReused",
    "InvalidRequest",
    "IssueFact",
    "Lazy",
    "Leg",
    "LegOutcome",
    "MarketplaceError",
    "MemberName",
    "NavEntry",
    "NeverOrdered",
    "NotAllowed",
    "NotFound",
    "Notice",
    "NoticeOutcome",
    "Notifier",
    "OfferDescriber",
    "OfferFace",
    "OfferPicture",
    "OpenOrder",
    "Order",
    "Outcome",
    "Page",
    "Pages",
    "Pending",
    "PeriodicTask",
    "PlacedOrder",
    "PluginTables",
    "Principal",
    "Rail",
    "RefundFact",
    "Rejected",
    "Retry",
    "Returned",
    "RewardKind",
    "Role",
    "Routes",
    "Scope",
    "Sent",
    "Submitted",
    "Supplier",
    "TooManyRequests",
    "Unknown",
    "Who",
    "access",
    "hookimpl",
    "lazy",
    "plugin_metadata",
]
