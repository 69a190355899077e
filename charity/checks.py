"""Invariants of gifts, matches and receipts, proved with the ledger's."""

from __future__ import annotations

from typing import Final

from marketplace.contract.proving import Check

GIFTS: Final = """
select format('gift %s', g.burn_id) as subject,
       format('a %s burn of %s points', g.status, g.points) as expected,
       format('%s burn of %s points', coalesce(b.status::text, 'no'), b.points) as found
from charity_gift g
left join burn b on b.id = g.burn_id and b.wallet_id = g.wallet_id
left join charity_campaign c on c.id = g.campaign_id
where (g.status = 'captured' and (b.status is distinct from 'captured'
                                  or b.refunded_points < g.refunded_points))
   or (g.status = 'voided' and b.status is distinct from 'voided')
   or (g.status in ('held', 'given') and b.id is null)
   or (b.points <> g.points and b.status <> 'rejected') or b.offer_id <> c.offer_id
   or g.money_micros <> g.points * c.rate_micros
"""
RAISED: Final = """
select format('gift %s', g.burn_id) as subject,
       format('%s micros to the charity', g.money_micros) as expected,
       format('%s micros', coalesce(sum(o.cost_micros), 0)) as found
from charity_gift g
join charity_campaign c on c.id = g.campaign_id
join charity_charity k on k.id = c.charity_id
left join obligation o on o.wallet_id = g.wallet_id and o.burn_id = g.burn_id
 and o.kind = 'capture' and o.acceptor_id = k.member_id
where g.status = 'captured'
group by g.burn_id, g.money_micros
having coalesce(sum(o.cost_micros), 0) <> g.money_micros
"""
CAPS: Final = """
select format('match %s', m.id) as subject,
       format('%s points of at most %s', coalesce(sum(s.points - s.returned_points), 0),
              m.cap_points) as expected,
       format('%s points', m.used_points) as found
from charity_match m left join charity_share s on s.match_id = m.id
group by m.id, m.cap_points, m.used_points
having coalesce(sum(s.points - s.returned_points), 0) <> m.used_points
    or m.used_points > m.cap_points
"""
SHARES: Final = """
select format('match %s of gift %s', s.match_id, s.burn_id) as subject,
       'as much as the gift and its match come to' as expected,
       format('%s of %s points returned, %s micros booked', s.returned_points, s.points,
              s.booked_micros) as found
from charity_share s
join charity_gift g on g.burn_id = s.burn_id
join charity_match m on m.id = s.match_id
join charity_campaign c on c.id = m.campaign_id
where s.points > div(g.points::numeric * m.ratio_bps, 10000)
   or (g.status in ('cancelled', 'voided', 'refused') and s.returned_points <> s.points)
   or (g.status = 'captured' and s.points - s.returned_points
        <> div(s.points::numeric * (g.points - g.refunded_points - g.taken_back_points), g.points))
   or (s.undone_at is null and s.booked_micros <>
        case when g.status = 'captured' and m.mode = 'billed'
        then (s.points - s.returned_points) * c.rate_micros else 0 end)
"""
DEBTS: Final = """
with promise (name, micros) as (
    select format('match:%s', id), booked_micros from charity_match
    union all
    select format('share:%s:%s', burn_id, match_id), booked_micros from charity_share
),
owed (name, micros) as (
    select (regexp_match(reference, '^((?:match|share):.*?):[0-9]+(?::undone)?$'))[1],
           sum(amount_micros)
    from member_debt where plugin = 'charity' group by 1
)
select coalesce(p.name, o.name) as subject,
       format('%s micros owed', coalesce(p.micros, 0)) as expected,
       format('%s micros', coalesce(o.micros, 0)) as found
from promise p full join owed o on o.name = p.name
where coalesce(p.micros, 0) <> coalesce(o.micros, 0)
"""
FUNDS: Final = """
select format('match %s', m.id) as subject,
       format('a gift of the firm that has %s points left', case
              when m.ended_at is null then m.cap_points else m.used_points end) as expected,
       format('%s gift with %s points left', g.status, g.points - g.refunded_points) as found
from charity_match m join charity_gift g on g.burn_id = m.fund_id
where g.origin <> 'match' or g.firm_id is distinct from m.firm_id
   or (m.used_points > 0 and g.status <> 'captured')
   or (g.status = 'captured' and g.points - g.refunded_points < m.used_points)
"""
RESCUED: Final = """
select format('gift %s', g.burn_id) as subject, 'points that were announced' as expected,
       format('lot %s', d.lot_id) as found
from charity_gift g
join draw d on d.wallet_id = g.wallet_id and d.burn_id = g.burn_id
left join charity_rescue_plan p on p.burn_id = g.burn_id
where g.origin = 'expiring' and g.status = 'captured'
  and (p.id is null or d.lot_id <> all(p.lot_ids))
"""
RECEIPTS: Final = """
select format('receipts of charity %s in %s', c.charity_id, c.year) as subject,
       format('numbers 1 to %s', c.last) as expected,
       format('%s numbers from %s to %s', count(r.number), min(r.number), max(r.number)) as found
from charity_receipt_counter c
left join charity_receipt r on r.charity_id = c.charity_id and r.year = c.year
group by c.charity_id, c.year, c.last
having count(r.number) <> c.last or min(r.number) <> 1 or max(r.number) <> c.last
"""
RECEIPT_OF_EACH: Final = """
select format('gift %s', g.burn_id) as subject,
       format('a receipt of %s points to %s', g.points - g.refunded_points - g.taken_back_points,
              g.donor) as expected,
       format('%s points to %s', r.facts ->> 'points', r.facts ->> 'donor') as found
from charity_gift g
left join lateral (
    select facts from charity_receipt where burn_id = g.burn_id order by version desc limit 1
) r on true
where (g.status = 'captured') <> (r.facts is not null)
   or (r.facts ->> 'points')::bigint <> g.points - g.refunded_points - g.taken_back_points
   or r.facts ->> 'donor' <> g.donor::text
"""
TAKEN_BACK: Final = """
with undone (burn_id, micros) as (
    select u.burn_id, sum(o.cost_micros)
    from charity_undone_gift u
    join obligation c on c.wallet_id = u.wallet_id and c.id = u.line_id
    join obligation o on o.wallet_id = c.wallet_id and o.burn_id = c.burn_id
     and o.lot_id = c.lot_id and o.funding = c.funding and o.kind in ('capture', 'refund')
    group by u.burn_id
)
select format('gift %s', g.burn_id) as subject,
       format('%s micros taken back', coalesce(u.micros, 0)) as expected,
       format('%s micros, %s points', g.taken_back_micros, g.taken_back_points) as found
from charity_gift g
join charity_campaign c on c.id = g.campaign_id
join burn b on b.id = g.burn_id and b.wallet_id = g.wallet_id
left join undone u on u.burn_id = g.burn_id
where g.status = 'captured' and b.refunded_points = g.refunded_points
  and (g.taken_back_micros <> coalesce(u.micros, 0)
       or g.taken_back_points <> div(g.taken_back_micros + c.rate_micros - 1, c.rate_micros))
"""
TAKEN_MATCHES: Final = """
select format('match %s of gift %s', s.match_id, s.burn_id) as subject,
       'all of it taken back by a dispute about its debt, or nothing' as expected,
       format('%s of %s points', s.taken_back_points, s.points - s.returned_points) as found
from charity_share s join charity_match m on m.id = s.match_id
where m.fund_id is null and s.taken_back_points <> case
      when coalesce(s.undone_at, m.undone_at) is null then 0 else s.points - s.returned_points end
union all
select format('match %s', m.id), format('%s points of the firm', max(g.points - g.refunded_points
              - g.taken_back_points)),
       format('%s points added', sum(s.points - s.returned_points - s.taken_back_points))
from charity_match m
join charity_gift g on g.burn_id = m.fund_id
join burn b on b.id = g.burn_id and b.wallet_id = g.wallet_id
join charity_share s on s.match_id = m.id
where b.refunded_points = g.refunded_points
group by m.id
having sum(s.points - s.returned_points - s.taken_back_points)
       > max(g.points - g.refunded_points - g.taken_back_points)
union all
select format('gift %s', g.burn_id), 'a receipt that says what stays of its match',
       format('%s points stay', sum(s.points - s.returned_points - s.taken_back_points))
from charity_gift g
join charity_share s on s.burn_id = g.burn_id
join lateral (
    select coalesce(sum((each ->> 'points')::bigint), 0) as points
    from (select facts from charity_receipt where burn_id = g.burn_id
          order by version desc limit 1) last
    left join lateral jsonb_array_elements(last.facts -> 'matchers') each on true
) r on true
where g.status = 'captured'
group by g.burn_id, r.points
having not bool_or(s.untold)
   and sum(s.points - s.returned_points - s.taken_back_points) <> r.points
"""
OWNERS: Final = """
select format('gift %s', g.burn_id) as subject, 'the owner of its wallet' as expected,
       format('%s %s', g.donor, coalesce(g.participant_id, g.firm_id)) as found
from charity_gift g left join wallet w on w.id = g.wallet_id
where w.participant_id is distinct from g.participant_id or w.firm_id is distinct from g.firm_id
"""
SURPLUS: Final = """
with had (id, micros) as (
    select c.id, coalesce(sum(g.points), 0) * c.rate_micros
        + coalesce((select sum(s.points) from charity_share s
                    join charity_gift h on h.burn_id = s.burn_id
                    where h.campaign_id = c.id and h.status = 'captured'), 0) * c.rate_micros
        + coalesce((select sum(m.amount_micros) from charity_surplus_move m
                    where m.to_campaign_id = c.id and m.amount_micros > 0), 0)
    from charity_campaign c
    left join charity_gift g on g.campaign_id = c.id and g.status = 'captured'
    group by c.id
)
select format('surplus of campaign %s', c.slug) as subject,
       format('from 0 to %s micros to its %s', greatest(0, h.micros - c.goal_micros), c.surplus)
           as expected,
       format('%s micros', sum(m.amount_micros)) as found
from charity_surplus_move m
join charity_campaign c on c.id = m.campaign_id
join had h on h.id = c.id
left join charity_campaign t on t.id = m.to_campaign_id
group by c.id, c.slug, c.surplus, c.goal_micros, c.closed_at, h.micros
having sum(m.amount_micros) not between 0 and greatest(0, h.micros - c.goal_micros)
    or c.closed_at is null
    or count(distinct m.to_campaign_id) > 1
    or bool_or((m.to_campaign_id is null) <> (c.surplus = 'general_fund'))
    or bool_or(t.charity_id <> c.charity_id or t.currency <> c.currency)
"""

CHECKS: Final = [
    Check("charity_gifts", "Each gift is where its burn is, on its campaign's offer.", GIFTS),
    Check("charity_raised", "What a gift raised is what the ledger owes the charity.", RAISED),
    Check("charity_caps", "No match gives more than its cap, nor other than its shares.", CAPS),
    Check("charity_shares", "Each match of a gift follows the gift, to the point.", SHARES),
    Check("charity_debts", "What matches owe is booked between members, to the micro.", DEBTS),
    Check("charity_funds", "A firm has given at least what its match added.", FUNDS),
    Check("charity_rescued", "Of points that expire only announced ones are given.", RESCUED),
    Check("charity_receipts", "Receipts are numbered without gaps by charity and year.", RECEIPTS),
    Check("charity_receipt_of_each", "Each captured gift has one that says so.", RECEIPT_OF_EACH),
    Check("charity_taken_back", "What disputes took back of a gift is not raised.", TAKEN_BACK),
    Check("charity_taken_matches", "Receipts name what stays of a match.", TAKEN_MATCHES),
    Check("charity_surplus", "A surplus goes where its campaign says, once, and no more.", SURPLUS),
    Check("charity_donors", "Who owned the points is the donor of record.", OWNERS),
]
