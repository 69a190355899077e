"""Series by file: a CSV line for each kind of voucher, all taken or none."""

from __future__ import annotations

import csv
import io
from decimal import Decimal, DecimalException

import msgspec

from marketplace.api import Host, MarketplaceError
from marketplace_vouchers import series
from marketplace_vouchers.domain import AcceptedBy
from marketplace_vouchers.errors import BadSeriesFile
from marketplace_vouchers.schemas import NewSeries

MOST_LINES = 2_000
REQUIRED = frozenset({"sku", "owner", "name", "value", "currency"})
COLUMNS = REQUIRED | {"use", "starts_on", "ends_on", "valid_days", "accepted_by"}


class Taken(msgspec.Struct, frozen=True):
    """What a file did."""

    series: int
    dry_run: bool


def import_series(host: Host, text: str, *, actor: str, dry_run: bool) -> Taken:
    """Make the series of a file; lines that are there already with the same terms change nothing.

    `accepted_by` is `owner`, `coalition`, or slugs of members with spaces between them. Raises
    BadSeriesFile, which names every line that cannot be taken.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    errors: list[tuple[int, str]] = []
    taken = 0
    try:
        names = set(reader.fieldnames or ())
        if not names >= REQUIRED or not names <= COLUMNS:
            raise BadSeriesFile(
                [
                    (
                        1,
                        f"the header has {', '.join(sorted(REQUIRED))} and may have "
                        f"{', '.join(sorted(COLUMNS - REQUIRED))}",
                    )
                ]
            )
        with host.transaction() as session:
            for row in reader:
                taken += 1
                if taken > MOST_LINES:
                    raise BadSeriesFile([(reader.line_num, f"up to {MOST_LINES} series a file")])
                try:
                    new = _read(row)
                    owner_id = host.member_id(session, str(new.owner))
                    series.make_in(host, session, owner_id, new, actor=actor)
                except (ValueError, msgspec.ValidationError) as error:
                    errors.append((reader.line_num, str(error)))
                except MarketplaceError as error:
                    errors.append((reader.line_num, error.detail))
            if errors:
                raise BadSeriesFile(errors)
            if dry_run:
                session.rollback()
    except csv.Error as error:
        raise BadSeriesFile([(reader.line_num, str(error))]) from None
    return Taken(taken, dry_run)


def _read(row: dict[str | None, str | None]) -> NewSeries:
    if None in row or None in row.values():
        raise ValueError("another number of fields than the header has")
    fields = {str(name): (value or "").strip() for name, value in row.items()}
    accepted = fields.pop("accepted_by", "") or AcceptedBy.OWNER.value
    listed = accepted not in (AcceptedBy.OWNER.value, AcceptedBy.COALITION.value)
    given: dict[str, object] = {name: value for name, value in fields.items() if value}
    given["value_micros"] = micros(str(given.pop("value", "")))
    given["accepted_by"] = AcceptedBy.LISTED if listed else accepted
    given["acceptors"] = accepted.split() if listed else []
    return msgspec.convert(given, NewSeries, strict=False)


def micros(text: str) -> int:
    """An amount like "25.00" in micros; ValueError where it is none."""
    try:
        exact = Decimal(text) * 1_000_000
    except DecimalException:
        raise ValueError(f"{text!r} is no amount") from None
    if not exact.is_finite() or exact != exact.to_integral_value() or abs(exact) > 10**15:
        raise ValueError(f"{text!r} is no amount with six decimals at most")
    return int(exact)
