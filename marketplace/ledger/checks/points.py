"""Points: lots, wallets and issuers say the same as the transfers and draws behind them."""

from __future__ import annotations

from typing import Final

from marketplace.contract.proving import Check

LOT_ISSUE: Final = """
select format('lot %s of wallet %s', coalesce(l.id, t.lot_id), coalesce(l.wallet_id, t.wallet_id))
           as subject,
       case when l.id is null then 'no issue transfer: there is no such lot'
            else format('one issue transfer of %s points from %s', l.points, l.issuer_id) end
           as expected,
       case when t.lot_id is null then 'none'
            else format('%s transfers, %s points from %s', t.number, t.points, t.issuer_id) end
           as found
from lot l
full join (
    select wallet_id, lot_id, debit_owner as issuer_id, count(*) as number, sum(amount) as points
    from transfer where code = 'issue' and unit = 'POINTS'
    group by wallet_id, lot_id, debit_owner
) t on t.wallet_id = l.wallet_id and t.lot_id = l.id
where (t.number, t.points, t.issuer_id) is distinct from (1::bigint, l.points, l.issuer_id)
"""

LOT_REMAINING: Final = """
select format('lot %s of wallet %s', l.id, l.wallet_id) as subject,
       format('%s = %s issued - %s drawn (net of restores) - %s expired',
              l.points - coalesce(d.points, 0) - coalesce(e.points, 0),
              l.points, coalesce(d.points, 0), coalesce(e.points, 0)) as expected,
       format('%s remaining', l.remaining) as found
from lot l
left join (
    select wallet_id, lot_id, sum(case kind when 'draw' then points else -points end) as points
    from draw group by wallet_id, lot_id
) d on d.wallet_id = l.wallet_id and d.lot_id = l.id
left join (
    select wallet_id, lot_id, sum(amount) as points
    from transfer where code = 'expire' and unit = 'POINTS' group by wallet_id, lot_id
) e on e.wallet_id = l.wallet_id and e.lot_id = l.id
where l.remaining <> l.points - coalesce(d.points, 0) - coalesce(e.points, 0)
"""

LOT_EXPIRY: Final = """
select format('expiry of lot %s of wallet %s', t.lot_id, t.wallet_id) as subject,
       coalesce(format('issuer %s', l.issuer_id), 'no expiry: there is no such lot') as expected,
       format('%s points to %s', t.amount, t.credit_owner) as found
from transfer t
left join lot l on l.wallet_id = t.wallet_id and l.id = t.lot_id
where t.code = 'expire' and t.unit = 'POINTS' and t.credit_owner is distinct from l.issuer_id
"""

ISSUER_POINTS: Final = """
with part (issuer_id, issued, available, held, redeemed, expired) as (
    select debit_owner, sum(amount), 0, 0, 0, 0 from transfer
    where code = 'issue' and unit = 'POINTS' group by debit_owner
    union all
    select issuer_id, 0, sum(remaining), 0, 0, 0 from lot group by issuer_id
    union all
    select d.issuer_id, 0, 0, sum(case d.kind when 'draw' then d.points else -d.points end), 0, 0
    from draw d join burn b on b.id = d.burn_id and b.wallet_id = d.wallet_id
    where b.status = 'held' group by d.issuer_id
    union all
    select credit_owner, 0, 0, 0, sum(amount), 0 from transfer
    where credit_account = 'issuer_redeemed' group by credit_owner
    union all
    select debit_owner, 0, 0, 0, -sum(amount), 0 from transfer
    where debit_account = 'issuer_redeemed' group by debit_owner
    union all
    select credit_owner, 0, 0, 0, 0, sum(amount) from transfer
    where credit_account = 'issuer_expired' group by credit_owner
), whole as (
    select issuer_id, sum(issued) as issued, sum(available) as available, sum(held) as held,
           sum(redeemed) as redeemed, sum(expired) as expired
    from part group by issuer_id
)
select format('issuer %s', coalesce(m.slug, w.issuer_id::text)) as subject,
       format('%s points issued', w.issued) as expected,
       format('%s = %s available + %s held + %s redeemed + %s expired',
              w.available + w.held + w.redeemed + w.expired,
              w.available, w.held, w.redeemed, w.expired) as found
from whole w
left join member m on m.id = w.issuer_id
where w.issued <> w.available + w.held + w.redeemed + w.expired
"""

WALLET_TRANSFERS: Final = """
with moved as (
    select wallet_id,
           sum(case when credit_account = 'wallet_available' then amount
                    when debit_account = 'wallet_available' then -amount else 0 end) as available,
           sum(case when credit_account = 'wallet_held' then amount
                    when debit_account = 'wallet_held' then -amount else 0 end) as held
    from transfer where unit = 'POINTS' group by wallet_id
)
select format('wallet %s', coalesce(w.id, t.wallet_id)) as subject,
       format('%s available, %s held, as the transfers sum', coalesce(t.available, 0),
              coalesce(t.held, 0)) as expected,
       case when w.id is null then 'no such wallet'
            else format('%s available, %s held', w.available, w.held) end as found
from wallet w
full join moved t on t.wallet_id = w.id
where (w.available, w.held) is distinct from
      (coalesce(t.available, 0)::bigint, coalesce(t.held, 0)::bigint)
"""

WALLET_LOTS: Final = """
select format('wallet %s', w.id) as subject,
       format('%s available in lots, %s held in draws', coalesce(l.points, 0),
              coalesce(d.points, 0)) as expected,
       format('%s available, %s held', w.available, w.held) as found
from wallet w
left join (select wallet_id, sum(remaining) as points from lot group by wallet_id) l
    on l.wallet_id = w.id
left join (
    select d.wallet_id, sum(case d.kind when 'draw' then d.points else -d.points end) as points
    from draw d join burn b on b.id = d.burn_id and b.wallet_id = d.wallet_id
    where b.status = 'held' group by d.wallet_id
) d on d.wallet_id = w.id
where w.available <> coalesce(l.points, 0) or w.held <> coalesce(d.points, 0)
"""

HELD_BURNS: Final = """
select format('wallet %s', coalesce(w.id, b.wallet_id)) as subject,
       format('%s points in %s held burns', coalesce(b.points, 0), coalesce(b.number, 0))
           as expected,
       format('%s held', w.held) as found
from wallet w
full join (
    select wallet_id, sum(points) as points, count(*) as number
    from burn where status = 'held' group by wallet_id
) b on b.wallet_id = w.id
where w.held is distinct from coalesce(b.points, 0)
"""

# A hold that its wallet does not lead to would be missing in the wallet's history.
HOLD_CHAIN: Final = """
select format('hold %s of wallet %s', id, wallet_id) as subject,
       'one hold, found once from its wallet' as expected,
       format('%s holds, found %s times', sum(holds), sum(found)) as found
from (
    select wallet_id, id, (code = 'hold' and previous_hold_id < id)::int as holds, 0 as found
    from transfer where previous_hold_id is not null
    union all
    select wallet_id, previous_hold_id, 0, 1 from transfer where previous_hold_id > 0
    union all
    select id, last_hold_id, 0, 1 from wallet where last_hold_id is not null
) link
group by wallet_id, id having (sum(holds), sum(found)) <> (1, 1)
"""

CHECKS: Final = (
    Check("lot_issue", "Each lot has exactly one issue transfer, of its points.", LOT_ISSUE),
    Check("lot_remaining", "A lot has left what was not drawn or expired.", LOT_REMAINING),
    Check("lot_expiry", "Points expire to the issuer of their lot.", LOT_EXPIRY),
    Check(
        "issuer_points",
        "Per issuer: issued = available + held + redeemed + expired.",
        ISSUER_POINTS,
    ),
    Check("wallet_transfers", "Wallet balances = sum of transfers.", WALLET_TRANSFERS),
    Check("wallet_lots", "Wallet balances = lots and draws of held burns.", WALLET_LOTS),
    Check("hold_chain", "Each hold is found from its wallet, once.", HOLD_CHAIN),
    Check("held_burns", "Points held = points of open burns.", HELD_BURNS),
)
