"""Words of statements in the reader's language."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from babel import numbers

from marketplace.web.i18n import Lazy, spoken
from marketplace.web.i18n import lazy as _l
from settlement.clearing.domain import LegStatus
from settlement.statements.domain import LineKind, Side

DEALINGS: Final[dict[tuple[Side, LineKind], Lazy]] = {
    (Side.ISSUER, LineKind.ISSUANCE): _l("Points issued, paid into your pool"),
    (Side.ISSUER, LineKind.CAPTURE): _l("Your points, spent on their rewards"),
    (Side.ISSUER, LineKind.REFUND): _l("Your points, given back by them"),
    (Side.ISSUER, LineKind.EXPIRY): _l("Your points, expired"),
    (Side.ACCEPTOR, LineKind.CAPTURE): _l("Your rewards, for their points"),
    (Side.ACCEPTOR, LineKind.REFUND): _l("Your rewards, refunded"),
    (Side.ACCEPTOR, LineKind.EXPIRY): _l("Their points, expired"),
    (Side.BOTH, LineKind.CAPTURE): _l("Your points, spent on your own rewards"),
    (Side.BOTH, LineKind.REFUND): _l("Your points, given back by yourself"),
    (Side.BOTH, LineKind.EXPIRY): _l("Your points, expired: your share"),
    (Side.DEBTOR, LineKind.DEBT): _l("Owed outside rewards"),
    (Side.CREDITOR, LineKind.DEBT): _l("Due outside rewards"),
    (Side.DEBTOR, LineKind.ADJUSTMENT): _l("Adjustments"),
    (Side.CREDITOR, LineKind.ADJUSTMENT): _l("Adjustments"),
}
OTHERS: Final = _l("Trade of others, which leaves a margin")
SIDES: Final = {Side.ISSUER: _l("as issuer"), Side.ACCEPTOR: _l("as acceptor")}
STATUSES: Final[dict[LegStatus, Lazy]] = {
    LegStatus.PLANNED: _l("planned"),
    LegStatus.SUBMITTED: _l("with the bank"),
    LegStatus.ACCEPTED: _l("accepted by the bank"),
    LegStatus.BOOKED: _l("paid"),
    LegStatus.REJECTED: _l("rejected"),
    LegStatus.RETURNED: _l("returned"),
    LegStatus.UNKNOWN: _l("not known yet"),
    LegStatus.CANCELLED: _l("cancelled"),
}


def dealing(side: Side, kind: LineKind) -> str:
    """What happened, from the reader's side."""
    return str(DEALINGS.get((side, kind), OTHERS))


def exact(micros: int, currency: str) -> str:
    """An amount to the last micro, as the language writes money: "€12.345678"."""
    locale = spoken().locale
    pattern = locale.currency_formats["standard"].pattern.split(";")[0]
    return str(
        numbers.format_currency(
            Decimal(micros).scaleb(-6),
            currency,
            format=pattern.replace("0.00", "0.00####"),
            locale=locale,
            currency_digits=False,
        )
    )
