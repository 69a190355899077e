"""All SQL of fulfilment, set-wise on raw asyncpg.

Held burns are the rows of `ix_burn_due`: every held burn has a `due_at`, a dead one `infinity`.
Relays lock rows `for update skip locked`, so they never wait. A claim does wait: its message may
arrive before the relay that sent it has committed, and skipping the rows would lose the message.
Only where it waited in vain it skips what is locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from marketplace import api
from marketplace.exchange.domain import Cause, FulfilmentState
from marketplace.fulfilment.domain import CLAIMED_SOON_S, Claimed, Waiting
from marketplace.ids import ids_as_text

ANSWERS_KEPT = 5
"""Answers of suppliers that are remembered for one order."""

Pair = tuple[UUID, UUID]
"""A burn's id and its wallet's."""


class Due(NamedTuple):
    """A held burn the relay should see to."""

    id: UUID
    wallet_id: UUID
    plugin: str


# `clock_timestamp()` here would be asked for each row of the index, due or not.
COUNT_DUE = """
select plugin, count(*)
from (select plugin from burn where due_at <= statement_timestamp() order by due_at limit $1) d
group by plugin
"""

DUE = """
select id, wallet_id, plugin from burn
where due_at <= statement_timestamp() and plugin = any($2::text[])
order by due_at limit $1
for update skip locked
"""

# A lease that ran out: its worker may have reached the supplier, so only a look-up is safe.
MARK = """
update burn
set due_at = clock_timestamp() + a.seconds * interval '1 second',
    fulfilment = case when fulfilment = 'ordering' then 'unknown' else fulfilment end
from unnest($1::uuid[], $2::uuid[], $3::float8[]) as a(id, wallet_id, seconds)
where burn.id = a.id and burn.wallet_id = a.wallet_id
"""

# A time a little past the lease will do: a row that keeps its place in all indexes costs half.
CLAIM = """
with locked as (
    select burn.id, burn.wallet_id, burn.fulfilment as prior
    from burn
    join unnest($1::text::uuid[], $2::text::uuid[]) as a(id, wallet_id) using (id, wallet_id)
    where status = 'held' and plugin = $3
      and not exists (select 1 from plugin_closure c where c.plugin = $3 and c.member_id is null
                      and c.cause in ('not_active', 'operator'))
      and fulfilment in ('queued', 'retry', 'pending', 'unknown')
    order by burn.id
    for update of burn{}
)
update burn
set fulfilment = 'ordering', attempts = least(burn.attempts + 1, 32000),
    due_at = case
        when burn.due_at >= statement_timestamp() + $4::float8 * interval '1 second'
         and burn.due_at <= statement_timestamp() + ($4::float8 + $5::float8) * interval '1 second'
        then burn.due_at
        else clock_timestamp() + $4::float8 * interval '1 second' end
from locked join offer on true
where burn.id = locked.id and burn.wallet_id = locked.wallet_id and offer.id = burn.offer_id
returning burn.id, burn.wallet_id, locked.prior::text, burn.attempts, burn.posted_at, burn.due_at,
          offer.reference, offer.sku, burn.quantity, burn.points, burn.cost_micros, burn.currency,
          burn.acceptor_id, burn.selection
"""

# What this claim still holds. News meanwhile moved its time (`lent_waking.WOKEN`): it is due now.
WAIT = """
update burn
set fulfilment = case when burn.due_at <> a.due_at and a.state = 'dead' then 'unknown'
                      else a.state::fulfilment_state end,
    due_at = case when burn.due_at <> a.due_at then clock_timestamp()
                  when a.state = 'dead' then 'infinity'
                  else clock_timestamp() + a.seconds * interval '1 second' end
from unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::float8[], $6::timestamptz[])
  as a(id, wallet_id, attempt, state, seconds, due_at)
where burn.id = a.id and burn.wallet_id = a.wallet_id and status = 'held'
  and fulfilment = 'ordering' and attempts = a.attempt
"""

_TIMED_OUT = """
burn.due_at is not null and status = 'held' and hold_until < (select marketplace_now())
  and (fulfilment = 'retry' or (fulfilment = 'queued' and attempts = 0))
"""

TIMED_OUT = f"""
select id, wallet_id from burn where {_TIMED_OUT} and id > $1 order by id limit $2
"""

LOCK_TIMED_OUT = f"""
select burn.id, burn.wallet_id from burn
join unnest($1::uuid[], $2::uuid[]) as a(id, wallet_id) using (id, wallet_id)
where {_TIMED_OUT}
order by burn.id
for update of burn skip locked
"""

VOIDED = """
select burn.id from burn join unnest($1::uuid[], $2::uuid[]) as a(id, wallet_id)
  using (id, wallet_id)
where status = 'voided'
"""

OPEN_ORDERS = """
select plugin,
       count(*) filter (where fulfilment <> 'dead') as waiting,
       count(*) filter (where fulfilment = 'unknown') as unknown,
       count(*) filter (where fulfilment = 'dead') as dead,
       min(posted_at) filter (where fulfilment <> 'dead') as oldest_at
from burn where due_at is not null group by plugin
"""

# Dead orders are the rows of ix_burn_due at infinity.
DEAD = """
select burn.id, burn.wallet_id, burn.plugin, burn.attempts, burn.quantity, burn.points,
       burn.cost_micros, burn.currency, burn.posted_at, burn.acceptor_id,
       offer.id as offer_id, offer.reference as offer, offer.name as offer_name, offer.sku,
       member.slug as acceptor, order_trouble.answers,
       extract(epoch from clock_timestamp() - burn.posted_at)::float8 as waiting_s
from burn
join offer on offer.id = burn.offer_id
left join member on member.id = burn.acceptor_id
left join order_trouble on order_trouble.burn_id = burn.id
     and order_trouble.wallet_id = burn.wallet_id
where due_at = 'infinity' and fulfilment = 'dead' and ($1::text is null or burn.plugin = $1)
  and ($2::uuid is null or burn.acceptor_id = $2) and ($3::uuid is null or burn.id > $3)
order by burn.id limit $4
"""

REPLAY = """
update burn set fulfilment = 'unknown', attempts = 1, due_at = clock_timestamp()
where due_at = 'infinity' and status = 'held' and fulfilment = 'dead'
  and ($1::uuid[] is null or id = any($1)) and ($2::text is null or plugin = $2)
  and ($3::uuid is null or acceptor_id = $3)
returning id, plugin
"""

# Newest first, so many are kept; a claim that lapsed says nothing.
REMEMBER = f"""
insert into order_trouble (burn_id, wallet_id, answers)
select a.burn_id, a.wallet_id, jsonb_build_array(a.answer::jsonb)
from unnest($1::uuid[], $2::uuid[], $3::text[]) as a(burn_id, wallet_id, answer)
order by 1
on conflict (burn_id, wallet_id) do update
set answers = jsonb_path_query_array(
    excluded.answers || order_trouble.answers, '$[0 to {ANSWERS_KEPT - 1}]')
"""

FORGET = """
delete from order_trouble using unnest($1::uuid[], $2::uuid[]) as a(burn_id, wallet_id)
where order_trouble.burn_id = a.burn_id and order_trouble.wallet_id = a.wallet_id
"""

OPEN_NOW = """
select exists(
    select from supplier_health where plugin = $1 and open_until > clock_timestamp())
"""

# Locked, lest a reward be given away while it is being looked at.
BURN_TO_REVEAL = """
select burn.wallet_id, burn.caller_id, burn.status::text, burn.points, burn.refunded_points,
       wallet.participant_id
from burn join wallet on wallet.id = burn.wallet_id
where burn.id = $1
for update of burn
"""

ARTEFACTS = """
select position, kind, label, secret, expires_at from artefact
where burn_id = $1 and wallet_id = $2 order by position
"""


def _columns(pairs: Iterable[Pair]) -> tuple[list[UUID], list[UUID]]:
    both = list(pairs)
    return [burn_id for burn_id, _ in both], [wallet_id for _, wallet_id in both]


async def count_due(connection: Any, limit: int) -> dict[str, int]:
    """How many of the first `limit` burns that are due are of which plugin."""
    return dict(await connection.fetch(COUNT_DUE, limit))


async def due(connection: Any, limit: int, plugins: Sequence[str]) -> list[Due]:
    """Up to `limit` due burns of these, longest first, locked until the transaction ends."""
    return [Due(*row) for row in await connection.fetch(DUE, limit, plugins)]


async def mark(connection: Any, delays: Sequence[tuple[Due, float]]) -> None:
    """Make each burn due again after its number of seconds; lapsed leases become unknown."""
    ids, wallets = _columns((burn.id, burn.wallet_id) for burn, _ in delays)
    await connection.execute(MARK, ids, wallets, [seconds for _, seconds in delays])


async def claim(
    connection: Any,
    plugin: str,
    pairs: Sequence[Pair],
    lease_s: float,
    *,
    unlocked_only: bool = False,
) -> list[Claimed]:
    """Take the burns of `pairs` that are held and nobody's, for `lease_s` seconds or a few more.

    With `unlocked_only` those that are locked stay where they are. None where nothing may be sent
    to the plugin by now (`RESTING`).
    """
    ids, wallets = map(ids_as_text, _columns(pairs))
    text = CLAIM.format(" skip locked" if unlocked_only else "")
    rows = await connection.fetch(text, ids, wallets, plugin, lease_s, CLAIMED_SOON_S)
    return [
        Claimed(
            burn_id=burn_id,
            wallet_id=wallet_id,
            plugin=plugin,
            prior=FulfilmentState(prior),
            posted_at=posted_at,
            due_at=due_at,
            order=api.Order(
                reference=str(burn_id),
                offer_reference=reference,
                sku=sku,
                quantity=quantity,
                points=points,
                cost_micros=cost_micros,
                currency=currency,
                attempt=attempts,
                acceptor_id=acceptor_id,
                selection=selection,
            ),
        )
        for (
            burn_id,
            wallet_id,
            prior,
            attempts,
            posted_at,
            due_at,
            reference,
            sku,
            quantity,
            points,
            cost_micros,
            currency,
            acceptor_id,
            selection,
        ) in rows
    ]


async def wait(connection: Any, rows: Sequence[Waiting]) -> None:
    """Give claims back with their next state; a claim that lapsed is left alone."""
    await connection.execute(
        WAIT,
        [row.claimed.burn_id for row in rows],
        [row.claimed.wallet_id for row in rows],
        [row.claimed.order.attempt for row in rows],
        [row.state.value for row in rows],
        [row.delay_s for row in rows],
        [row.claimed.due_at for row in rows],
    )


async def timed_out(connection: Any, after: UUID, limit: int) -> list[Pair]:
    """Burns whose hold ran out and that certainly no supplier has taken, by id after one."""
    return [(row[0], row[1]) for row in await connection.fetch(TIMED_OUT, after, limit)]


async def lock_timed_out(connection: Any, pairs: Sequence[Pair]) -> list[Pair]:
    """Those of the burns that still are such, locked; what somebody has locked is left out."""
    rows = await connection.fetch(LOCK_TIMED_OUT, *_columns(pairs))
    return [(row[0], row[1]) for row in rows]


async def voided(connection: Any, pairs: Sequence[Pair]) -> set[UUID]:
    """Which of these burns are voided."""
    return {row[0] for row in await connection.fetch(VOIDED, *_columns(pairs))}


async def open_orders(connection: Any) -> dict[str, Any]:
    """Counts of held burns by plugin: waiting, unknown, dead, oldest_at."""
    return {row["plugin"]: row for row in await connection.fetch(OPEN_ORDERS)}


async def dead(
    connection: Any,
    plugin: str | None = None,
    *,
    acceptor_id: UUID | None = None,
    after: UUID | None = None,
    limit: int | None = None,
) -> list[Any]:
    """Orders given up, oldest first; None does not narrow. Columns as in DEAD."""
    rows: list[Any] = await connection.fetch(DEAD, plugin, acceptor_id, after, limit)
    return rows


async def replay(
    connection: Any,
    burn_ids: Sequence[UUID] | None,
    *,
    plugin: str | None = None,
    acceptor_id: UUID | None = None,
) -> dict[UUID, str]:
    """Make dead orders due again, as unknown; None does not narrow. Plugin by burn replayed."""
    ids = None if burn_ids is None else list(burn_ids)
    rows = await connection.fetch(REPLAY, ids, plugin, acceptor_id)
    return {row["id"]: row["plugin"] for row in rows}


async def remember(connection: Any, troubles: Sequence[tuple[Pair, str]]) -> None:
    """Put an answer (JSON text) in front of the history of each of these burns."""
    ids, wallets = _columns(pair for pair, _ in troubles)
    await connection.execute(REMEMBER, ids, wallets, [text for _, text in troubles])


async def forget(connection: Any, pairs: Sequence[Pair]) -> None:
    """Drop the histories of burns that are resolved."""
    await connection.execute(FORGET, *_columns(pairs))


async def is_open(connection: Any, plugin: str) -> bool:
    """Whether the plugin's breaker is open at this moment."""
    found: bool = await connection.fetchval(OPEN_NOW, plugin)
    return found


async def burn_to_reveal(connection: Any, burn_id: UUID) -> Any | None:
    """wallet_id, caller_id, status, points, refunded_points, participant_id; None: no such burn."""
    return await connection.fetchrow(BURN_TO_REVEAL, burn_id)


async def artefacts(connection: Any, burn_id: UUID, wallet_id: UUID) -> list[Any]:
    """position, kind, label, secret (encrypted), expires_at of what was delivered."""
    rows: list[Any] = await connection.fetch(ARTEFACTS, burn_id, wallet_id)
    return rows


HEALTH = """
select plugin, failures, open_until, last_error, last_success_at,
       open_until > clock_timestamp() as is_open,
       extract(epoch from open_until - clock_timestamp())::float8 as open_s
from supplier_health
"""

FAILED = """
insert into supplier_health (plugin, failures, last_error, last_failure_at)
values ($1, 1, $2, clock_timestamp())
on conflict (plugin) do update
set failures = supplier_health.failures + 1, last_error = excluded.last_error,
    last_failure_at = excluded.last_failure_at
returning failures
"""

OPEN = "update supplier_health set open_until = clock_timestamp() + $2 where plugin = $1"

# At most once in ten seconds while all is well: the row must not become a bottleneck.
SUCCEEDED = """
insert into supplier_health (plugin, failures, last_success_at) values ($1, 0, clock_timestamp())
on conflict (plugin) do update
set failures = 0, open_until = null, last_success_at = excluded.last_success_at
where supplier_health.failures > 0 or supplier_health.open_until is not null
   or supplier_health.last_success_at is null
   or supplier_health.last_success_at < clock_timestamp() - interval '10 seconds'
returning plugin
"""

# Reading it locks nothing. A success is worth writing down where this finds no row.
IS_WELL = """
select exists(
    select from supplier_health where plugin = $1 and failures = 0 and open_until is null
      and last_success_at > clock_timestamp() - interval '10 seconds')
"""

# Of a row that somebody has locked there is no probe now: nobody waits for it with all else.
PROBE = """
update supplier_health set open_until = clock_timestamp() + $2
where plugin = (
    select plugin from supplier_health
    where plugin = $1 and open_until <= clock_timestamp()
    for update skip locked)
returning plugin
"""


async def health(connection: Any) -> dict[str, Any]:
    """Breaker rows by plugin."""
    return {row["plugin"]: row for row in await connection.fetch(HEALTH)}


async def record_failure(connection: Any, plugin: str, error: str) -> int:
    """Count a failed chunk; returns how many in a row."""
    failures: int = await connection.fetchval(FAILED, plugin, error)
    return failures


async def open_breaker(connection: Any, plugin: str, length: timedelta) -> None:
    """Ask this supplier nothing for `length`."""
    await connection.execute(OPEN, plugin, length)


async def record_success(connection: Any, plugin: str) -> bool:
    """Close the breaker; False where nothing had to be written.

    Whether it was open cannot be said: another may open it while this one waits for the row.
    """
    return await connection.fetchval(SUCCEEDED, plugin) is not None


async def is_well(connection: Any, plugin: str) -> bool:
    """Whether another success of this plugin would change nothing that is known of it."""
    found: bool = await connection.fetchval(IS_WELL, plugin)
    return found


# To these nothing is sent: their orders wait.
RESTING = """
select distinct on (plugin) plugin, cause::text, words from plugin_closure
where member_id is null and cause in ('not_active', 'operator')
order by plugin, cause
"""


async def resting(connection: Any) -> dict[str, tuple[Cause, str]]:
    """Plugins that are not active or were stopped by the operator: cause and words."""
    return {row[0]: (Cause(row[1]), row[2]) for row in await connection.fetch(RESTING)}


async def take_probe(connection: Any, plugin: str, length: timedelta) -> bool:
    """Whether this relay may send the one probe; others see the breaker open for `length`."""
    return await connection.fetchval(PROBE, plugin, length) is not None
