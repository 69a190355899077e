"""What the exported journal says of charity beside transfers, so that a stranger can add it up.

A match that is paid ahead moves its money before the gifts that it is added to, and a surplus is
designated without moving. So the journal names what each gift was matched with, what each receipt
states, and what campaigns promise. Nobody's name is in it.
"""

from __future__ import annotations

from typing import Final

from marketplace.api import JournalNotes

CAMPAIGNS: Final = """
select greatest((c.starts_at at time zone 'UTC')::date, date '1970-01-01') as day,
       c.slug as campaign, k.slug as charity, m.slug as member,
       c.currency::text as currency, c.rate_micros::text as rate_micros,
       c.goal_micros::text as goal_micros, c.surplus::text as surplus
from charity_campaign c
join charity_charity k on k.id = c.charity_id
join member m on m.id = k.member_id
order by c.starts_at, c.id
"""
MATCHES: Final = """
select greatest((c.starts_at at time zone 'UTC')::date, date '1970-01-01') as day,
       x.id::text as match, c.slug as campaign, x.mode::text as mode,
       coalesce(m.slug, 'firm:' || f.reference) as matcher,
       x.fund_id::text as fund, x.ratio_bps::text as ratio_bps, x.cap_points::text as cap_points,
       x.used_points::text as used_points,
       (select coalesce(sum(s.taken_back_points), 0)::text
        from charity_share s where s.match_id = x.id) as taken_back_points
from charity_match x
join charity_campaign c on c.id = x.campaign_id
left join member m on m.id = x.member_id
left join firm f on f.id = x.firm_id
order by x.id
"""
SHARES: Final = """
select (g.captured_at at time zone 'UTC')::date as day, s.burn_id::text as burn,
       s.match_id::text as match,
       (s.points - s.returned_points - s.taken_back_points)::text as points,
       ((s.points - s.returned_points - s.taken_back_points) * c.rate_micros)::text as micros,
       s.taken_back_points::text as taken_back_points
from charity_share s
join charity_gift g on g.burn_id = s.burn_id
join charity_campaign c on c.id = g.campaign_id
where g.status = 'captured'
order by g.captured_at, s.burn_id, s.match_id
"""
RECEIPTS: Final = """
select (r.issued_at at time zone 'UTC')::date as day,
       k.slug || '/' || r.year || '/' || to_char(r.number, 'FM000000') as receipt,
       k.slug || '/' || o.year || '/' || to_char(o.number, 'FM000000') as corrects,
       r.burn_id::text as burn, r.facts ->> 'donor' as donor, r.facts ->> 'points' as points,
       r.facts ->> 'money_micros' as micros, r.facts ->> 'rate_micros' as rate_micros,
       r.facts ->> 'currency' as currency, r.facts ->> 'refunded_points' as refunded_points,
       coalesce(r.facts ->> 'taken_back_points', '0') as taken_back_points,
       coalesce(r.facts ->> 'taken_back_micros', '0') as taken_back_micros,
       (select coalesce(sum((each ->> 'points')::bigint), 0)::text
        from jsonb_array_elements(r.facts -> 'matchers') each) as matched_points
from charity_receipt r
join charity_charity k on k.id = r.charity_id
left join charity_receipt o on o.id = r.corrects_id
order by r.charity_id, r.year, r.number
"""
SURPLUS: Final = """
select (s.moved_at at time zone 'UTC')::date as day, c.slug as campaign,
       coalesce(t.slug, 'general_fund') as goes_to, s.amount_micros::text as micros
from charity_surplus_move s
join charity_campaign c on c.id = s.campaign_id
left join charity_campaign t on t.id = s.to_campaign_id
order by s.moved_at, s.id
"""
NOTES: Final = [
    JournalNotes("campaign", CAMPAIGNS),
    JournalNotes("match", MATCHES),
    JournalNotes("share", SHARES),
    JournalNotes("receipt", RECEIPTS),
    JournalNotes("surplus", SURPLUS),
]
