"""What must always hold, as `marketplace ledger verify` asks it."""

from __future__ import annotations

from typing import Final

from marketplace.api import Check

DAYS: Final = 7

CHECKS: Final = (
    Check(
        name="pretix_cancelled",
        explanation=f"What an organizer cancelled at pretix is given back within {DAYS} days.",
        sql=f"""
            select 'order ' || reference || ' (' || event || '/' || code || ')' as subject,
                   'points given back' as expected,
                   'cancelled by the organizer on ' || cancelled_at::date as found
            from pretix_order
            where cancelled_by = 'them' and given_back_at is null
              and cancelled_at < now() - interval '{DAYS} days'
            union all
            select 'order ' || reference || ' (' || event || '/' || code || ')',
                   'points of ' || gone || ' tickets given back',
                   gone_given_back || ' of ' || gone || ', taken out on ' || gone_at::date
            from pretix_order
            where gone > gone_given_back and cancelled_at is null
              and gone_at < now() - interval '{DAYS} days'
        """,
    ),
)
