"""Times that lie further ahead than any that is ever written: the database's clock was set back.

What was written before keeps a time of the old clock, so an order would wait, and a breaker stay
open, for as long as the clock went back. Each is brought to where it may be at the latest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from marketplace.fulfilment.breaker import LONGEST_OPEN
from marketplace.fulfilment.domain import JITTER, MAX_PENDING_S, lease_s, stale_s

AT_ONCE = 10_000
"""Orders brought back in one transaction."""
SLACK_S = 60.0
LONGEST_SPREAD = 1 + JITTER
"""By how much a wait is made longer, so that not all end together."""


class Limits(NamedTuple):
    """Seconds: how far ahead a time may lie that was written just now, and a little more."""

    longest_s: float
    """Of a breaker, to the second: nothing is left alone for longer."""
    open_s: float
    """Of a breaker."""
    published_s: float
    """Of an order that nobody has an answer about: it was published, leased, or kept back."""
    answered_s: float
    """Of an order whose supplier may have said when to come again."""
    lease_s: float
    """Length of a claim."""


def limits(supplier_timeout_s: float) -> Limits:
    """What this timeout and the rules of relay, breaker and workers come to."""
    longest_s = max(LONGEST_OPEN.total_seconds(), stale_s(supplier_timeout_s))
    return Limits(
        longest_s=longest_s,
        open_s=longest_s + SLACK_S,
        published_s=longest_s * LONGEST_SPREAD + SLACK_S,
        answered_s=max(longest_s, MAX_PENDING_S) * LONGEST_SPREAD + SLACK_S,
        lease_s=lease_s(supplier_timeout_s),
    )


# What a worker may have in hand keeps a whole lease: only after that may another look it up.
ORDERS = """
with found as (
    select id, wallet_id, fulfilment from burn
    where due_at > statement_timestamp() + $1::float8 * interval '1 second'
      and due_at < 'infinity'
      and (fulfilment in ('queued', 'ordering')
           or due_at > statement_timestamp() + $2::float8 * interval '1 second')
    limit $4
    for update skip locked
)
update burn
set due_at = statement_timestamp()
    + case when found.fulfilment = 'ordering' then $3::float8 else 0 end * interval '1 second'
from found where burn.id = found.id and burn.wallet_id = found.wallet_id
returning 1
"""

# Over at once: a probe finds out how the supplier is.
BREAKERS = """
update supplier_health set open_until = clock_timestamp()
where plugin in (
    select plugin from supplier_health
    where open_until > clock_timestamp() + $1::float8 * interval '1 second'
    for update skip locked)
returning plugin
"""


async def bring_back(connection: Any, known: Limits) -> tuple[int, list[str]]:
    """How many orders were brought back (AT_ONCE at the most), and whose breakers."""
    orders = await connection.fetch(
        ORDERS, known.published_s, known.answered_s, known.lease_s, AT_ONCE
    )
    breakers = await connection.fetch(BREAKERS, known.open_s)
    return len(orders), [row[0] for row in breakers]
