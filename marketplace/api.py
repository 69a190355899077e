"""Everything a partner plugin may import: Protocols, Structs, errors and `hookimpl`.

Nothing else in `marketplace` is stable for plugins (`marketplace.testing` excepted). Arguments are
frozen Structs; points are integers, money is integer micros, times are aware UTC datetimes. The
parts are written in `marketplace/contract/`.
"""

from __future__ import annotations

from typing import Final

import msgspec
import pluggy

from marketplace.addresses import AddressRefused
from marketplace.contract.bank_records import (
    BankAnswer,
    BankEntry,
    BankReader,
    BankRecord,
    BatchStatus,
    EntryDetail,
    EntryState,
    LegStatus,
    OwnMove,
    StatementEnd,
    StatementKind,
    StatementSource,
    StatementStart,
)
from marketplace.contract.crowds import CrowdWork, Fields, crowd_form, crowd_post
from marketplace.contract.facts import BurnFact, IssueFact, RefundFact, WindowFact
from marketplace.contract.file_rails import Batch, FileRail, RailFile
from marketplace.contract.host import (
    Host,
    MemberName,
    NewOffer,
    OpenOrder,
    PlacedOrder,
    PluginOffer,
)
from marketplace.contract.notices import Notice, NoticeOutcome, Notifier, Sent
from marketplace.contract.orders import (
    Artefact,
    Fulfilled,
    Health,
    MemberHealth,
    NeverOrdered,
    Order,
    Outcome,
    Pending,
    Rejected,
    Retry,
    Supplier,
    Unknown,
)
from marketplace.contract.proving import Check, JournalNotes
from marketplace.contract.rails import Booked, Direction, Leg, LegOutcome, Rail, Returned, Submitted
from marketplace.contract.registering import (
    Command,
    EligibilityRule,
    OfferDescriber,
    OfferFace,
    OfferPicture,
    Pages,
    PeriodicTask,
    PluginSettings,
    PluginTables,
    RewardKind,
    Routes,
    Who,
    Words,
    plugin_metadata,
)
from marketplace.contract.telling import News, NewsField, NoticeKind
from marketplace.contract.tracing import (
    BurnStep,
    BurnTracer,
    FailedPayout,
    PayoutTracer,
    UndoneDebt,
    UndoneLine,
)
from marketplace.errors import (
    Conflict,
    IdempotencyKeyReused,
    InvalidRequest,
    MarketplaceError,
    NotAllowed,
    NotConfigured,
    NotFound,
    TooManyRequests,
)
from marketplace.exchange.domain import Eligibility
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.money import decimal_from_minor, micros_from_decimal, minor_digits
from marketplace.outbound import Answer, Identity, Line, Outbound, Unanswered, Unreachable
from marketplace.signing import BadSignature, sign, verify
from marketplace.signing import new_key as new_signing_key
from marketplace.web.access import access
from marketplace.web.charts import Bars, Chart, Series, Shape
from marketplace.web.console import Console
from marketplace.web.flows import Flows, Payment
from marketplace.web.i18n import NAMES as LANGUAGES
from marketplace.web.i18n import Lazy, lazy, told_in
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page
from marketplace.web.press import typeset
from marketplace.web.qr import qr_code
from marketplace.web.spreadsheets import safe as spreadsheet_safe

API_VERSION = "1.3"
"""Version of this contract."""

hookimpl = pluggy.HookimplMarker("marketplace")
"""Marks a plugin's hook implementations."""

SECRET: Final = msgspec.Meta(extra={"secret": True})
"""Marks a setting that is encrypted at rest and never shown again: `Annotated[str, SECRET]`."""

__all__ = [
    "API_VERSION",
    "LANGUAGES",
    "SECRET",
    "AddressRefused",
    "Answer",
    "Artefact",
    "BadSignature",
    "BankAnswer",
    "BankEntry",
    "BankReader",
    "BankRecord",
    "Bars",
    "Batch",
    "BatchStatus",
    "Booked",
    "BurnFact",
    "BurnStep",
    "BurnTracer",
    "Chart",
    "Check",
    "Command",
    "Conflict",
    "Console",
    "CrowdWork",
    "Direction",
    "Eligibility",
    "EligibilityRule",
    "EntryDetail",
    "EntryState",
    "FailedPayout",
    "Fields",
    "FileRail",
    "Flows",
    "Fulfilled",
    "Health",
    "Host",
    "Html",
    "IdempotencyKeyReused",
    "Identity",
    "InvalidRequest",
    "IssueFact",
    "JournalNotes",
    "Lazy",
    "Leg",
    "LegOutcome",
    "LegStatus",
    "Line",
    "MarketplaceError",
    "MemberHealth",
    "MemberName",
    "NavEntry",
    "NeverOrdered",
    "NewOffer",
    "News",
    "NewsField",
    "NotAllowed",
    "NotConfigured",
    "NotFound",
    "Notice",
    "NoticeKind",
    "NoticeOutcome",
    "Notifier",
    "OfferDescriber",
    "OfferFace",
    "OfferPicture",
    "OpenOrder",
    "Order",
    "Outbound",
    "Outcome",
    "OwnMove",
    "Page",
    "Pages",
    "Payment",
    "PayoutTracer",
    "Pending",
    "PeriodicTask",
    "PlacedOrder",
    "PluginOffer",
    "PluginSettings",
    "PluginTables",
    "Principal",
    "Rail",
    "RailFile",
    "RefundFact",
    "Rejected",
    "Retry",
    "Returned",
    "RewardKind",
    "Role",
    "Routes",
    "Scope",
    "Sent",
    "Series",
    "Shape",
    "StatementEnd",
    "StatementKind",
    "StatementSource",
    "StatementStart",
    "Submitted",
    "Supplier",
    "TooManyRequests",
    "Unanswered",
    "UndoneDebt",
    "UndoneLine",
    "Unknown",
    "Unreachable",
    "Who",
    "WindowFact",
    "Words",
    "access",
    "crowd_form",
    "crowd_post",
    "decimal_from_minor",
    "hookimpl",
    "lazy",
    "micros_from_decimal",
    "minor_digits",
    "new_signing_key",
    "plugin_metadata",
    "qr_code",
    "sign",
    "spreadsheet_safe",
    "told_in",
    "typeset",
    "verify",
]
