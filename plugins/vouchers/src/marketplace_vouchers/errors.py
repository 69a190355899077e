"""Why a voucher is not taken. Each code is in the README; titles are shown at the till."""

from __future__ import annotations

from datetime import datetime

from marketplace.api import (
    Conflict,
    InvalidRequest,
    MarketplaceError,
    NotAllowed,
    NotFound,
    TooManyRequests,
)

ERRORS_SHOWN = 100


class MistypedCode(MarketplaceError):
    code = "vouchers_code_mistyped"
    title = "This is no voucher code: check each character"
    status = 422


class UnknownVoucher(NotFound):
    """No such voucher, or not one that this member accepts: never said which."""

    code = "vouchers_unknown"
    title = "No voucher that you accept has this code"


class LockedOut(TooManyRequests):
    code = "vouchers_locked_out"
    title = "Too many wrong codes: this till must wait"

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"Too many wrong codes. Try again in {wait_s} s.", retry_after_s=wait_s)
        self.headers["Retry-After"] = str(wait_s)


class VoucherExpired(Conflict):
    code = "vouchers_expired"
    title = "The voucher is no longer valid"

    def __init__(self, ended_at: datetime) -> None:
        super().__init__(f"It was valid until {ended_at:%Y-%m-%d %H:%M} UTC.", ended_at=ended_at)


class VoucherNotYetValid(Conflict):
    code = "vouchers_not_yet_valid"
    title = "The voucher is not valid yet"

    def __init__(self, starts_at: datetime) -> None:
        super().__init__(f"It is valid from {starts_at:%Y-%m-%d %H:%M} UTC.", starts_at=starts_at)


class VoucherUsed(Conflict):
    code = "vouchers_used"
    title = "Nothing is left on the voucher"


class VoucherCancelled(Conflict):
    code = "vouchers_cancelled"
    title = "The voucher was cancelled"


class VoucherLocked(Conflict):
    code = "vouchers_locked"
    title = "Another till is using the voucher right now"

    def __init__(self, until: datetime, wait_s: int) -> None:
        super().__init__(
            f"Another till has it until {until:%H:%M:%S} UTC; try again then.", locked_until=until
        )
        self.headers["Retry-After"] = str(max(wait_s, 1))


class LockEnded(Conflict):
    code = "vouchers_lock_ended"
    title = "The time for this voucher is over: enter its code again"


class VoucherTooLittleLeft(Conflict):
    code = "vouchers_too_little_left"
    title = "Less than that is left on the voucher"

    def __init__(self, left_micros: int, currency: str) -> None:
        super().__init__(
            "Ask for what is left at most.", left_micros=left_micros, currency=currency
        )


class VoucherSingleUse(Conflict):
    code = "vouchers_single_use"
    title = "The voucher is used once, for all it is worth"

    def __init__(self, left_micros: int, currency: str) -> None:
        super().__init__(
            "Ask for its whole value, or leave the amount out.",
            left_micros=left_micros,
            currency=currency,
        )


class WrongCurrency(Conflict):
    code = "vouchers_wrong_currency"
    title = "The voucher is in another currency"

    def __init__(self, currency: str) -> None:
        super().__init__(f"It is in {currency}.", currency=currency)


class AlreadyRolledBack(Conflict):
    code = "vouchers_already_rolled_back"
    title = "The redemption was rolled back before"

    def __init__(self, rollback_id: int) -> None:
        super().__init__(f"By {rollback_id}.", rollback_id=rollback_id)


class NotAParent(NotAllowed):
    code = "vouchers_not_parent"
    title = "Only the till that redeemed can roll back"


class UndoTooLate(Conflict):
    code = "vouchers_undo_too_late"
    title = "It is too late to undo this at the till"


class SeriesClosed(Conflict):
    code = "vouchers_series_closed"
    title = "No vouchers of this series are issued any more"


class SeriesExists(Conflict):
    code = "vouchers_series_exists"
    title = "There is a series with this sku, with other terms"


class BatchNotReady(Conflict):
    code = "vouchers_batch_not_ready"
    title = "The batch is not complete, or was cancelled"


class BatchExported(Conflict):
    code = "vouchers_batch_exported"
    title = "The codes of this batch were handed out before"


class BadSeriesFile(InvalidRequest):
    """Nothing of the file was taken; `errors` names its bad lines."""

    code = "vouchers_bad_file"
    title = "The file of series has lines that cannot be taken"

    def __init__(self, errors: list[tuple[int, str]]) -> None:
        shown = sorted(errors)[:ERRORS_SHOWN]
        lines = "; ".join(f"line {line}: {reason}" for line, reason in shown[:5])
        more = f"; and {len(errors) - 5} more" if len(errors) > 5 else ""
        super().__init__(
            f"Nothing was taken. {lines}{more}.",
            errors=[{"line": line, "reason": reason} for line, reason in shown],
            error_count=len(errors),
        )
