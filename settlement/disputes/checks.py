"""What a dispute undid is undone once: proved line by line, with figures of the ledger alone."""

from __future__ import annotations

from typing import Final

from marketplace.contract.proving import Check

# Of each capture or debt that a dispute undid (one that was about a refund or a contra alone leaves
# the line standing), whatever undid it too, and all adjustments of both: what every
# member has of it, but for fees, which windows reckon on sums. The clock puts right what comes
# later, so only what was there before its last pass but one began is left. Of a pass that begins
# now nobody knows yet, and where the clock stands still nothing was passed over.
ONCE: Final = """
with undone (wallet_id, burn_id, lot_id, funding) as (
    select distinct c.wallet_id, c.burn_id, c.lot_id, c.funding
    from settlement_adjustment a
    join obligation c on c.wallet_id = a.wallet_id and c.id = a.line_id
    where c.kind = 'capture'
),
debt (first_id) as (
    select distinct d.id
    from settlement_adjustment a join member_debt d on d.id = a.line_id
    where a.wallet_id = '00000000-0000-0000-0000-000000000000' and d.undoes_id is null
),
line (subject, wallet_id, id) as (
    select format('burn %s, lot %s, %s', o.burn_id, o.lot_id, o.funding), o.wallet_id, o.id
    from undone u join obligation o on o.wallet_id = u.wallet_id and o.burn_id = u.burn_id
     and o.lot_id = u.lot_id and o.funding = u.funding and o.kind in ('capture', 'refund')
    union all
    select format('debt %s', f.first_id), '00000000-0000-0000-0000-000000000000', d.id
    from debt f join member_debt d on f.first_id in (d.id, d.undoes_id)
),
booked (subject, payer_id, payee_id, micros, posted_at) as (
    select l.subject, o.issuer_id, m.id, o.funded_micros, o.posted_at
    from line l join obligation o on o.wallet_id = l.wallet_id and o.id = l.id
    cross join (select id from member where is_operator) m
    union all
    select l.subject, m.id, o.acceptor_id, o.cost_micros, o.posted_at
    from line l join obligation o on o.wallet_id = l.wallet_id and o.id = l.id
    cross join (select id from member where is_operator) m
    union all
    select l.subject, d.debtor_id, d.creditor_id, d.amount_micros, d.posted_at
    from line l join member_debt d on d.id = l.id
    where l.wallet_id = '00000000-0000-0000-0000-000000000000'
    union all
    select l.subject, d.debtor_id, d.creditor_id, d.amount_micros, d.posted_at
    from line l join settlement_adjustment a on a.wallet_id = l.wallet_id and a.line_id = l.id
    join member_debt d on d.id = a.debt_id
    where a.part not like 'fee of %'
),
side (subject, member_id, micros, posted_at) as (
    select subject, payer_id, -micros, posted_at from booked
    union all
    select subject, payee_id, micros, posted_at from booked
)
select format('%s of %s', s.subject, m.slug) as subject, '0 micros after a dispute' as expected,
       format('%s micros', sum(s.micros)) as found
from side s join member m on m.id = s.member_id
group by s.subject, m.slug
having sum(s.micros) <> 0 and max(s.posted_at) < (select before_at from settlement_clock_pass)
order by 1
"""

CHECKS: Final = (
    Check("settlement_undone", "What a dispute undid is undone once, refunds and all.", ONCE),
)
