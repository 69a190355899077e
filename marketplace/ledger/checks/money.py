"""Money: obligations, the transfers that mirror them, pools and exposure."""

from __future__ import annotations

from typing import Final

from marketplace.contract.proving import Check

# What a burn's points up to number `{at}` cost: `money.cost_of_interval`, in numeric because cost
# times points may pass 2^63. The pool's part of it: `postings.shares`.
_COST_TO: Final = "div(b.cost_micros::numeric * ({at}), b.points)"
_POOL_COST_TO: Final = f"div({_COST_TO} * l.pooled_price_micros, l.price_micros)"


def _of_draw(cost_to: str) -> str:
    """The cost of a draw, from the cost up to a point."""
    after = cost_to.format(at="d.position + d.points")
    return f"({after} - {cost_to.format(at='d.position')})"


# Each payer of the points of a draw `d` of burn `b` from lot `l`: one, or two of a mixed lot.
_PAYERS: Final = f"""
    cross join lateral (values
        ('issuance', l.pooled_price_micros, {_of_draw(_POOL_COST_TO)}),
        ('redemption', l.price_micros - l.pooled_price_micros,
         {_of_draw(_COST_TO)} - {_of_draw(_POOL_COST_TO)})
    ) as payer (funding, price, cost)"""


def _drawn(draw_kind: str, obligation_kind: str, sign: str) -> str:
    """Obligations of one kind against the draws (or restores) that made them, per lot and payer."""
    return f"""
with side (wallet_id, burn_id, lot_id, funding, n, p, f, c, n2, p2, f2, c2) as (
    select d.wallet_id, d.burn_id, d.lot_id, payer.funding, 1, {sign}d.points,
           {sign}d.points::numeric * payer.price, {sign}payer.cost, 0, 0, 0, 0
    from draw d
    join burn b on b.id = d.burn_id and b.wallet_id = d.wallet_id and b.status = 'captured'
    join lot l on l.wallet_id = d.wallet_id and l.id = d.lot_id
    {_PAYERS}
    where d.kind = '{draw_kind}' and payer.price > 0
    union all
    select wallet_id, burn_id, lot_id, funding::text, 0, 0, 0, 0, 1, points, funded_micros,
           cost_micros
    from obligation where kind = '{obligation_kind}'
)
select format('{obligation_kind} of burn %s from lot %s, paid at %s', burn_id, lot_id, funding)
           as subject,
       format('%s obligations: %s points, funded %s, cost %s', sum(n), sum(p), sum(f), sum(c))
           as expected,
       format('%s obligations: %s points, funded %s, cost %s', sum(n2), sum(p2), sum(f2), sum(c2))
           as found
from side
group by wallet_id, burn_id, lot_id, funding
having (sum(n), sum(p), sum(f), sum(c)) is distinct from (sum(n2), sum(p2), sum(f2), sum(c2))
"""


CAPTURE_OBLIGATIONS: Final = _drawn("draw", "capture", "")
REFUND_OBLIGATIONS: Final = _drawn("restore", "refund", "-")

BURN_COST: Final = """
select format('burn %s of wallet %s', b.id, b.wallet_id) as subject,
       format('cost %s, and %s after refunds', b.cost_micros, b.kept) as expected,
       format('cost %s, and %s after refunds', coalesce(o.captured, 0), coalesce(o.kept, 0))
           as found
from (
    select id, wallet_id, cost_micros,
           div(cost_micros::numeric * (points - refunded_points), points) as kept
    from burn where status = 'captured'
) b
left join (
    select wallet_id, burn_id, sum(cost_micros) as kept,
           sum(case kind when 'capture' then cost_micros else 0 end) as captured
    from obligation where burn_id is not null group by wallet_id, burn_id
) o on o.burn_id = b.id and o.wallet_id = b.wallet_id
where (b.cost_micros, b.kept) is distinct from (coalesce(o.captured, 0), coalesce(o.kept, 0))
"""

LOT_FUNDING: Final = """
select format('lot %s of wallet %s', l.id, l.wallet_id) as subject,
       format('price %s funded at %s, %s pooled', c.price_micros, c.funding, c.pooled)
           as expected,
       format('price %s funded at %s, %s pooled', l.price_micros, l.funding, l.pooled_price_micros)
           as found
from lot l
join (
    select id, currency, price_micros, funding,
           case funding when 'redemption' then 0 when 'issuance' then price_micros
                else div(price_micros::numeric * pooled_bps, 10000) end as pooled
    from contract
) c on c.id = l.contract_id
where (l.currency, l.price_micros, l.funding, l.pooled_price_micros)
      is distinct from (c.currency, c.price_micros, c.funding, c.pooled)
"""

OBLIGATION_TERMS: Final = """
select format('obligation %s of wallet %s', o.id, o.wallet_id) as subject,
       case when l.id is null then 'a lot that exists'
            else format('issuer %s, contract %s, %s, %s, paid to %s', l.issuer_id, l.contract_id,
                        l.currency, l.funding, b.acceptor_id) end as expected,
       format('issuer %s, contract %s, %s, %s, paid to %s', o.issuer_id, o.contract_id,
              o.currency, o.funding, o.acceptor_id) as found
from obligation o
left join lot l on l.wallet_id = o.wallet_id and l.id = o.lot_id
left join burn b on b.wallet_id = o.wallet_id and b.id = o.burn_id
where (o.issuer_id, o.contract_id, o.currency)
          is distinct from (l.issuer_id, l.contract_id, l.currency)
   or o.funding = 'mixed' or l.funding not in (o.funding, 'mixed')
   or (o.kind in ('capture', 'refund')
       and (o.acceptor_id, o.currency) is distinct from (b.acceptor_id, b.currency))
"""

ISSUANCE_OBLIGATIONS: Final = """
select format('lot %s of wallet %s', coalesce(l.id, o.lot_id),
              coalesce(l.wallet_id, o.wallet_id)) as subject,
       case when l.id is null then 'no obligation: not funded at issuance'
            else format('one obligation: %s points, funded %s, cost 0', l.points,
                        l.points::numeric * l.pooled_price_micros) end as expected,
       case when o.lot_id is null then 'none'
            else format('%s obligations: %s points, funded %s, cost %s', o.number, o.points,
                        o.funded, o.cost) end as found
from (
    select wallet_id, id, points, pooled_price_micros from lot where pooled_price_micros > 0
) l
full join (
    select wallet_id, lot_id, count(*) as number, sum(points) as points,
           sum(funded_micros) as funded, sum(cost_micros) as cost
    from obligation where kind = 'issuance' group by wallet_id, lot_id
) o on o.wallet_id = l.wallet_id and o.lot_id = l.id
where (o.number, o.points, o.funded, o.cost) is distinct from
      (1::bigint, l.points::numeric, l.points::numeric * l.pooled_price_micros, 0::numeric)
"""

EXPIRY_OBLIGATIONS: Final = """
with side (wallet_id, lot_id, n, points, n2, points2) as (
    select t.wallet_id, t.lot_id, 1, t.amount, 0, 0
    from transfer t join lot l on l.wallet_id = t.wallet_id and l.id = t.lot_id
    where t.code = 'expire' and t.unit = 'POINTS' and l.pooled_price_micros > 0
    union all
    select wallet_id, lot_id, 0, 0, 1, points from obligation where kind = 'expiry'
)
select format('expiry of lot %s of wallet %s', lot_id, wallet_id) as subject,
       format('%s obligations, %s points', sum(n), sum(points)) as expected,
       format('%s obligations, %s points', sum(n2), sum(points2)) as found
from side
group by wallet_id, lot_id
having (sum(n), sum(points)) is distinct from (sum(n2), sum(points2))
"""

BREAKAGE: Final = """
select format('obligation %s of wallet %s', o.id, o.wallet_id) as subject,
       format('funded %s, cost %s to %s', o.due, o.share,
              case when o.share > 0 then o.issuer_id end) as expected,
       format('funded %s, cost %s to %s', o.funded_micros, o.cost_micros, o.acceptor_id) as found
from (
    select o.*, o.points * l.pooled_price_micros as due,
           case c.breakage when 'operator' then 0
                when 'issuer' then o.points * l.pooled_price_micros
                else o.points * l.pooled_price_micros / 2 end as share
    from obligation o
    join lot l on l.wallet_id = o.wallet_id and l.id = o.lot_id
    join contract c on c.id = l.contract_id
    where o.kind = 'expiry'
) o
where (o.funded_micros, o.cost_micros, o.acceptor_id) is distinct from
      (o.due, o.share, case when o.share > 0 then o.issuer_id end)
"""

_SUMMED: Final = """
summed as (
    select window_id, currency, kind, funding, issuer_id, acceptor_id,
           sum(funded_micros) as funded, sum(cost_micros) as cost
    from obligation group by window_id, currency, kind, funding, issuer_id, acceptor_id
), operator as (select id from member where is_operator)"""

OBLIGATION_TRANSFERS: Final = f"""
with {_SUMMED}, moved as (
    select window_id, unit, debit_account, debit_owner, credit_account, credit_owner,
           sum(amount) as amount
    from transfer where unit <> 'POINTS' group by 1, 2, 3, 4, 5, 6
), side (window_id, unit, account, owner, expected, found) as (
    select s.window_id, s.currency, leg.account, leg.owner, leg.amount, 0
    from summed s
    left join operator o on true
    cross join lateral (values
        (case when s.kind = 'issuance' or (s.kind <> 'expiry' and s.funding = 'redemption')
              then 'issuer_receivable' else 'issuer_pool' end, s.issuer_id, -s.funded),
        (case s.kind when 'expiry' then 'issuer_breakage' else 'acceptor_payable' end,
         s.acceptor_id, s.cost),
        (case s.kind when 'issuance' then 'issuer_pool' when 'expiry' then 'operator_breakage'
              else 'operator_margin' end,
         case s.kind when 'issuance' then s.issuer_id else o.id end, s.funded - s.cost)
    ) as leg (account, owner, amount)
    union all
    select d.window_id, d.currency, 'member_clearing', leg.owner, leg.amount, 0
    from member_debt d
    cross join lateral (values (d.debtor_id, -d.amount_micros), (d.creditor_id, d.amount_micros))
      as leg (owner, amount)
    union all
    select window_id, unit, debit_account::text, debit_owner, 0, -amount from moved
    union all
    select window_id, unit, credit_account::text, credit_owner, 0, amount from moved
)
select format('account %s of %s in window %s', account, coalesce(m.slug, owner::text), window_id)
           as subject,
       format('%s micros of %s by obligations and debts', sum(expected), unit) as expected,
       format('%s micros by transfers', sum(found)) as found
from side
left join member m on m.id = owner
group by window_id, unit, account, owner, m.slug
having sum(expected) <> sum(found)
"""

POSITIONS: Final = f"""
with {_SUMMED}, position (window_id, currency, member_id, amount) as (
    select s.window_id, s.currency, leg.member_id, leg.amount
    from summed s
    left join operator o on true
    cross join lateral (values
        (s.issuer_id, -s.funded),
        (s.acceptor_id, s.cost),
        (case s.kind when 'issuance' then s.issuer_id else o.id end, s.funded - s.cost)
    ) as leg (member_id, amount)
    union all
    select d.window_id, d.currency, leg.member_id, leg.amount
    from member_debt d
    cross join lateral (values (d.debtor_id, -d.amount_micros), (d.creditor_id, d.amount_micros))
      as leg (member_id, amount)
)
select format('positions of window %s in %s', p.window_id, p.currency) as subject,
       '0 micros over all members' as expected,
       format('%s micros', sum(p.amount)) as found
from position p
join member m on m.id = p.member_id
group by p.window_id, p.currency
having sum(p.amount) <> 0
"""

DEBTS: Final = """
select format('debt %s of plugin %s (%s)', d.id, d.plugin, d.reference) as subject,
       format('one transfer of it%s', case when d.undoes_id is null then ''
              else format(', and the debt %s it undoes, the other way round', d.undoes_id) end)
           as expected,
       format('%s transfers, debt %s undone', coalesce(t.number, 0),
              coalesce(u.reference, 'missing')) as found
from member_debt d
left join (
    select debt_id, count(*) as number, min(debit_owner::text) as debit_owner,
           min(credit_owner::text) as credit_owner, min(unit) as unit, min(amount) as amount
    from transfer where debt_id is not null group by debt_id
) t on t.debt_id = d.id
left join member_debt u on u.id = d.undoes_id and u.undoes_id is null
where (t.number, t.debit_owner, t.credit_owner, t.unit, t.amount) is distinct from (
          1::bigint,
          case when d.amount_micros > 0 then d.debtor_id else d.creditor_id end::text,
          case when d.amount_micros > 0 then d.creditor_id else d.debtor_id end::text,
          d.currency::text, abs(d.amount_micros))
   or (d.undoes_id is not null
       and (u.plugin, u.debtor_id, u.creditor_id, u.currency, u.amount_micros) is distinct from
           (d.plugin, d.debtor_id, d.creditor_id, d.currency, -d.amount_micros))
"""

POOLS: Final = """
with side (issuer_id, currency, needed, pooled) as (
    select issuer_id, currency::text, sum(remaining::numeric * pooled_price_micros), 0
    from lot where pooled_price_micros > 0 group by 1, 2
    union all
    select l.issuer_id, l.currency::text,
           sum(case d.kind when 'draw' then 1 else -1 end * d.points::numeric
               * l.pooled_price_micros), 0
    from draw d
    join burn b on b.id = d.burn_id and b.wallet_id = d.wallet_id and b.status = 'held'
    join lot l on l.wallet_id = d.wallet_id and l.id = d.lot_id and l.pooled_price_micros > 0
    group by 1, 2
    union all
    select credit_owner, unit, 0, sum(amount) from transfer
    where credit_account = 'issuer_pool' group by 1, 2
    union all
    select debit_owner, unit, 0, -sum(amount) from transfer
    where debit_account = 'issuer_pool' group by 1, 2
)
select format('pool of %s', coalesce(m.slug, issuer_id::text)) as subject,
       format('%s micros of %s outstanding', sum(needed), currency) as expected,
       format('%s micros in the pool', sum(pooled)) as found
from side
left join member m on m.id = issuer_id
group by issuer_id, m.slug, currency
having sum(needed) <> sum(pooled)
"""

EXPOSURE: Final = """
with owed (issuer_id, held, unsettled, carried) as (
    select l.issuer_id, d.points::numeric * l.price_micros
               * case d.kind when 'draw' then 1 else -1 end, 0::numeric, 0::numeric
    from draw d
    join burn b on b.id = d.burn_id and b.wallet_id = d.wallet_id and b.status = 'held'
    join lot l on l.wallet_id = d.wallet_id and l.id = d.lot_id
    union all
    select o.issuer_id, 0, o.funded_micros, 0
    from obligation o join settlement_window w on w.id = o.window_id
    where o.kind in ('capture', 'refund') and w.status <> 'settled'
    union all
    select member_id, 0, 0, micros from carried_exposure
), summed as (
    select issuer_id, sum(held) as held, sum(unsettled) as unsettled, sum(carried) as carried
    from owed group by issuer_id
)
select format('exposure of %s', coalesce(m.slug, e.member_id::text)) as subject,
       format('%s micros = %s held + %s unsettled + %s carried',
              coalesce(s.held + s.unsettled + s.carried, 0),
              coalesce(s.held, 0), coalesce(s.unsettled, 0), coalesce(s.carried, 0)) as expected,
       format('%s micros', e.used_micros) as found
from exposure e
left join summed s on s.issuer_id = e.member_id
left join member m on m.id = e.member_id
where e.used_micros <> coalesce(s.held + s.unsettled + s.carried, 0)
"""

CHECKS: Final = (
    Check("lot_funding", "Lots carry the price and funding of their contract.", LOT_FUNDING),
    Check("obligation_terms", "Obligations carry the terms of their lot.", OBLIGATION_TERMS),
    Check(
        "capture_obligations",
        "A captured burn has one obligation per draw and payer, exact to the micro.",
        CAPTURE_OBLIGATIONS,
    ),
    Check(
        "refund_obligations",
        "A refund has one obligation per restore and payer, exact to the micro.",
        REFUND_OBLIGATIONS,
    ),
    Check("burn_cost", "The acceptor gets the cost of what was not refunded.", BURN_COST),
    Check(
        "issuance_obligations",
        "Exactly the lots funded at issuance, or in part, owe that money at issue.",
        ISSUANCE_OBLIGATIONS,
    ),
    Check("expiry_obligations", "Funded points that expire free their money.", EXPIRY_OBLIGATIONS),
    Check("breakage", "Money of expired points goes where the contract says.", BREAKAGE),
    Check(
        "obligation_transfers",
        "Per window and account: obligations and debts = money transfers.",
        OBLIGATION_TRANSFERS,
    ),
    Check("positions", "The positions of a window sum to zero.", POSITIONS),
    Check("debts", "Each debt has one transfer; a contra undoes one debt whole.", DEBTS),
    Check("pools", "Pools cover exactly what is outstanding.", POOLS),
    Check("exposure", "Exposure = held + captured, not refunded, not settled + carried.", EXPOSURE),
)
