"""Windows: everything is in one that exists, and their running totals are right."""

from __future__ import annotations

from typing import Final

from marketplace.contract.proving import Check
from marketplace.ledger.models import TOTAL_KEY
from marketplace.ledger.totals import LINES

_KEY: Final = ", ".join(TOTAL_KEY)

WINDOWS: Final = """
select format('%s of window %s', r.what, r.window_id) as subject,
       'a window that exists' as expected, format('%s rows in no window', r.number) as found
from (
    select 'obligations' as what, window_id, count(*) as number from obligation group by window_id
    union all
    select 'debts', window_id, count(*) from member_debt group by window_id
    union all
    select 'money transfers', window_id, count(*) from transfer
    where window_id is not null group by window_id
) r
left join settlement_window w on w.id = r.window_id
where w.id is null
union all
select 'windows', 'exactly one is open', format('%s open', count(*))
from settlement_window where status = 'open' having count(*) <> 1
union all
select format('window %s', id), 'a time at which it was closed, unless it is open',
       format('%s, closed at %s', status, coalesce(closed_at::text, 'no time'))
from settlement_window where (status = 'open') <> (closed_at is null)
"""

# Of a window that is over every row is counted; of another those behind the watermark, and those
# that were there at the last count from scratch.
TOTALS: Final = f"""
with side ({_KEY}, n, points, funded, cost, n2, points2, funded2, cost2) as (
    select {_KEY}, count(*), sum(points), sum(funded_micros), sum(cost_micros), 0, 0, 0, 0
    from ({LINES}) l
    where exists (
        select 1 from settlement_window w, window_total_mark m
        where w.id = l.window_id and (w.status not in ('open', 'closing')
                                      or l.txid < m.watermark or l.posted_at <= m.rebuilt_at))
    group by {_KEY}
    union all
    select {_KEY}, 0, 0, 0, 0, count, points, funded_micros, cost_micros from window_total
)
select format('total of window %s: %s in %s, %s, issuer %s (%s), acceptor %s (%s)',
              window_id, kind, currency, funding, issuer_id, contract_id, acceptor_id,
              acceptor_contract_id) as subject,
       format('%s rows: %s points, funded %s, cost %s', sum(n), sum(points), sum(funded), sum(cost))
           as expected,
       format('%s rows: %s points, funded %s, cost %s', sum(n2), sum(points2), sum(funded2),
              sum(cost2)) as found
from side
group by {_KEY}
having (sum(n), sum(points), sum(funded), sum(cost)) is distinct from
       (sum(n2), sum(points2), sum(funded2), sum(cost2))
"""

CHECKS: Final = (
    Check("windows", "Each obligation is in one window that exists; one is open.", WINDOWS),
    Check("totals", "Running totals of windows = sums of obligations and debts.", TOTALS),
)
