"""Why codes are not taken."""

from __future__ import annotations

from marketplace.api import InvalidRequest

ERRORS_SHOWN = 100


class BadUpload(InvalidRequest):
    """Nothing of the file was taken; `errors` names its bad lines."""

    code = "giftfund_bad_upload"
    title = "The file of codes has lines that cannot be taken"

    def __init__(self, errors: list[tuple[int, str]]) -> None:
        shown = sorted(errors)[:ERRORS_SHOWN]
        lines = "; ".join(f"line {line}: {reason}" for line, reason in shown[:5])
        more = f"; and {len(errors) - 5} more" if len(errors) > 5 else ""
        super().__init__(
            f"Nothing was taken. {lines}{more}.",
            errors=[{"line": line, "reason": reason} for line, reason in shown],
            error_count=len(errors),
        )
