"""CSV files for tests."""

from __future__ import annotations

import io
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.imports import ImportReport, import_file
from marketplace.runtime import Runtime

HEADERS = {
    "members": "slug,name,country,operator",
    "contracts": "reference,member,role,funding,currency,price_per_point,fee_bps,breakage,"
    "exposure_cap,points_valid_days,valid_from,valid_to",
    "firms": "reference,name,country,sponsor,pool",
    "participants": "reference,firm,name,email,role,locale",
    "offers": "reference,kind,name,acceptor,plugin,sku,points,cost,currency,stock,limit_per_wallet,"
    "status,starts_at,ends_at,eligible_roles,eligible_countries,eligible_firms",
    "issuances": "reference,issuer,participant,points,effective_at,expires_at",
}


def csv_file(kind: str, *lines: str, header: str | None = None) -> io.BytesIO:
    """A file with the full header, or this one, and these lines."""
    return io.BytesIO("".join(f"{line}\n" for line in (header or HEADERS[kind], *lines)).encode())


async def load(
    where: Runtime | AsyncSession,
    kind: str,
    *lines: str,
    header: str | None = None,
    **more: Any,
) -> ImportReport:
    """Import these lines."""
    return await import_file(where, kind, csv_file(kind, *lines, header=header), **more)


def faults(report: ImportReport) -> list[tuple[int, str]]:
    """(line, reason) of every bad line."""
    assert not report.ok
    return [(bad.line, bad.reason) for bad in report.bad_lines]
