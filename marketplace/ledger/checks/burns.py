"""Burns: how each ended, which points it took, and what was given back."""

from __future__ import annotations

from typing import Final

from marketplace.contract.proving import Check

RESOLUTIONS: Final = """
select format('burn %s of wallet %s', coalesce(b.id, r.burn_id),
              coalesce(b.wallet_id, r.wallet_id)) as subject,
       case when b.id is null then 'no resolution: there is no such burn'
            when b.status in ('captured', 'voided') then format('one resolution %s', b.status)
            else format('no resolution while %s', b.status) end as expected,
       coalesce(r.outcome::text, 'none') as found
from burn b
full join burn_resolution r on r.burn_id = b.id and r.wallet_id = b.wallet_id
where case when b.status in ('captured', 'voided') then r.outcome is distinct from b.status
           else r.burn_id is not null end
"""

CONFIRMATIONS: Final = """
select format('burn %s of wallet %s', coalesce(b.id, c.burn_id),
              coalesce(b.wallet_id, c.wallet_id)) as subject,
       case when b.id is null then 'no confirmation: there is no such burn'
            when b.status = 'captured' then format('one confirmation by %s', b.plugin)
            else format('no confirmation while %s', b.status) end as expected,
       case when c.burn_id is null then 'none'
            else format('one by %s: %s', c.plugin, c.supplier_reference) end as found
from burn b
full join supplier_confirmation c on c.burn_id = b.id and c.wallet_id = b.wallet_id
where (b.status = 'captured') is distinct from (c.burn_id is not null)
   or c.plugin <> b.plugin
"""

DRAWS_SUM: Final = """
select format('burn %s of wallet %s', b.id, b.wallet_id) as subject,
       format('%s points drawn', case b.status when 'rejected' then 0 else b.points end)
           as expected,
       format('%s points drawn', coalesce(d.points, 0)) as found
from burn b
left join (
    select wallet_id, burn_id, sum(points) as points
    from draw where kind = 'draw' group by wallet_id, burn_id
) d on d.burn_id = b.id and d.wallet_id = b.wallet_id
where coalesce(d.points, 0) <> case b.status when 'rejected' then 0 else b.points end
"""

DRAWS_TILE: Final = """
select format('draw %s of burn %s', id, burn_id) as subject,
       format('begins at point %s, where the one before ends', begins) as expected,
       format('begins at point %s', position) as found
from (
    select id, burn_id, position,
           coalesce(lag(position + points) over numbered, 0) as begins
    from draw where kind = 'draw'
    window numbered as (partition by wallet_id, burn_id order by position, id)
) d
where position <> begins
"""

RESTORES_SUM: Final = """
select format('burn %s of wallet %s', b.id, b.wallet_id) as subject,
       format('%s points restored of a burn %s', b.due, b.status) as expected,
       format('%s points restored', coalesce(d.points, 0)) as found
from (
    select id, wallet_id, status,
           case status when 'voided' then points when 'captured' then refunded_points else 0 end
               as due
    from burn
) b
left join (
    select wallet_id, burn_id, sum(points) as points
    from draw where kind = 'restore' group by wallet_id, burn_id
) d on d.burn_id = b.id and d.wallet_id = b.wallet_id
where coalesce(d.points, 0) <> b.due
"""

# The last points drawn go back first, and each goes back once.
RESTORES_TILE: Final = """
select format('restore %s of burn %s', id, burn_id) as subject,
       format('ends at point %s', ends) as expected,
       format('ends at point %s', position + points) as found
from (
    select d.id, d.burn_id, d.position, d.points,
           coalesce(lead(d.position) over numbered, b.points) as ends
    from draw d join burn b on b.id = d.burn_id and b.wallet_id = d.wallet_id
    where d.kind = 'restore'
    window numbered as (partition by d.wallet_id, d.burn_id order by d.position, d.id)
) r
where position + points <> ends
"""

RESTORE_LOTS: Final = """
select format('restore %s of burn %s', r.id, r.burn_id) as subject,
       'points that were drawn from the same lot' as expected,
       format('points %s to %s into lot %s', r.position, r.position + r.points, r.lot_id) as found
from draw r
left join draw d on d.wallet_id = r.wallet_id and d.burn_id = r.burn_id and d.kind = 'draw'
    and d.lot_id = r.lot_id
    and r.position >= d.position and r.position + r.points <= d.position + d.points
where r.kind = 'restore' and d.id is null
"""

REFUNDS: Final = """
select format('burn %s of wallet %s', coalesce(b.id, r.burn_id),
              coalesce(b.wallet_id, r.wallet_id)) as subject,
       case when b.id is null then 'no refund: there is no such burn'
            when b.status <> 'captured' then format('no refund of a burn %s', b.status)
            else format('%s points refunded', b.refunded_points) end as expected,
       format('%s points in %s refunds, %s on the burn', coalesce(r.points, 0),
              coalesce(r.number, 0), b.refunded_points) as found
from burn b
full join (
    select wallet_id, burn_id, sum(points) as points, count(*) as number
    from refund group by wallet_id, burn_id
) r on r.burn_id = b.id and r.wallet_id = b.wallet_id
where b.refunded_points is distinct from coalesce(r.points, 0)
   or (b.status <> 'captured' and b.refunded_points > 0)
"""

BURN_TRANSFERS: Final = """
with side (wallet_id, burn_id, code, issuer_id, expected, found) as (
    select wallet_id, id, 'hold'::transfer_code, null::uuid, points, 0::bigint
    from burn where status <> 'rejected'
    union all
    select wallet_id, id, 'void', null, points, 0 from burn where status = 'voided'
    union all
    select d.wallet_id, d.burn_id,
           case d.kind when 'draw' then 'capture' else 'refund' end::transfer_code,
           d.issuer_id, d.points, 0
    from draw d join burn b on b.id = d.burn_id and b.wallet_id = d.wallet_id
    where b.status = 'captured'
    union all
    select wallet_id, burn_id, code,
           case code when 'capture' then credit_owner when 'refund' then debit_owner end,
           0, amount
    from transfer where unit = 'POINTS' and burn_id is not null
)
select format('%s of burn %s of wallet %s', code, burn_id, wallet_id) as subject,
       format('%s points%s', sum(expected), ' of issuer ' || issuer_id) as expected,
       format('%s points', sum(found)) as found
from side
group by wallet_id, burn_id, code, issuer_id
having sum(expected) <> sum(found)
"""

# A burn that was refunded whole no longer counts. A limit may be lowered, and takes nothing back:
# what was burnt under an earlier one stays.
LIMITS: Final = """
select format('offer %s for wallet %s', o.reference, b.wallet_id) as subject,
       format('%s units at most', greatest(o.limit_per_wallet, before.most)) as expected,
       format('%s units', b.quantity) as found
from (
    select offer_id, wallet_id, sum(quantity) as quantity from burn
    where limited and status in ('held', 'captured') and refunded_points < points
    group by offer_id, wallet_id
) b
join offer o on o.id = b.offer_id and b.quantity > o.limit_per_wallet
cross join lateral (
    select max((details #>> '{changes,limit_per_wallet,0}')::bigint) as most
    from audit_entry
    where subject_kind = 'offer' and subject_id = o.id::text and action = 'offer.amended'
) before
where b.quantity > greatest(o.limit_per_wallet, before.most)
"""

CHECKS: Final = (
    Check("resolutions", "Each burn that ended has exactly one resolution.", RESOLUTIONS),
    Check("confirmations", "Exactly the captured burns have a confirmation.", CONFIRMATIONS),
    Check("draws_sum", "The draws of a burn sum to its points.", DRAWS_SUM),
    Check("draws_tile", "The draws of a burn number its points without gap.", DRAWS_TILE),
    Check("restores_sum", "Voided burns are restored whole, others as refunded.", RESTORES_SUM),
    Check("restores_tile", "The points drawn last go back first, each once.", RESTORES_TILE),
    Check("restore_lots", "Points go back to the lot they were drawn from.", RESTORE_LOTS),
    Check("refunds", "A burn's refunds sum to what it says is refunded.", REFUNDS),
    Check("burn_transfers", "Each step of a burn moved exactly its points.", BURN_TRANSFERS),
    Check("limits", "No wallet has more of an offer than its limit.", LIMITS),
)
