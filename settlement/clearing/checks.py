"""Invariants of settlements and of the clearing house's books, proved like the ledger's."""

from __future__ import annotations

from typing import Final

from marketplace.contract.proving import Check

# Every posting from both sides; credits above zero.
_SIDES: Final = """
side (account, owner, currency, settlement_id, leg_id, amount) as (
    select debit_account, debit_owner, currency, settlement_id, leg_id, -amount_micros
    from settlement_posting
    union all
    select credit_account, credit_owner, currency, settlement_id, leg_id, amount_micros
    from settlement_posting
)"""

POSITIONS: Final = """
select format('settlement %s in %s', s.reference, p.currency) as subject,
       'credits = debits, fees and nets of 0, net = credit - debit - fee' as expected,
       format('credits %s, debits %s, fees %s, nets %s, %s rows wrong', sum(p.credit_micros),
              sum(p.debit_micros), sum(p.fee_micros), sum(p.net_micros),
              count(*) filter (where p.net_micros <>
                               p.credit_micros - p.debit_micros - p.fee_micros)) as found
from settlement_position p join settlement_settlement s on s.id = p.settlement_id
group by s.reference, p.currency
having sum(p.credit_micros) <> sum(p.debit_micros) or sum(p.fee_micros) <> 0
    or sum(p.net_micros) <> 0
    or bool_or(p.net_micros <> p.credit_micros - p.debit_micros - p.fee_micros)
"""

FLOWS: Final = """
with side (settlement_id, currency, party, member_id, gross, fee) as (
    select settlement_id, currency, payer, payer_id,
           case when what = 'fee' then 0 else -amount_micros end,
           case when what = 'fee' then amount_micros else 0 end
    from settlement_flow
    union all
    select settlement_id, currency, payee, payee_id,
           case when what = 'fee' then 0 else amount_micros end,
           case when what = 'fee' then -amount_micros else 0 end
    from settlement_flow
    union all
    select settlement_id, currency, party, member_id, debit_micros - credit_micros, -fee_micros
    from settlement_position
)
select format('position of %s %s in settlement %s, %s', d.party, coalesce(m.slug, ''), s.reference,
              d.currency) as subject,
       'what its flows come to' as expected,
       format('%s micros and a fee of %s too much in flows', sum(d.gross), sum(d.fee)) as found
from side d
join settlement_settlement s on s.id = d.settlement_id
left join member m on m.id = d.member_id
group by s.reference, d.currency, d.party, d.member_id, m.slug
having sum(d.gross) <> 0 or sum(d.fee) <> 0
"""

# A default's debtor has a leg of nothing: others pay in its stead.
LEGS: Final = """
with side (settlement_id, currency, member_id, amount) as (
    select settlement_id, currency, member_id, -net_micros from settlement_position
    where party <> 'pool'
    union all
    select l.settlement_id, l.currency, l.member_id, l.net_micros from settlement_leg l
    where l.replaces_id is null
    union all
    select settlement_id, currency, counterparty_id, -net_micros from settlement_leg
    where counterparty_id is not null and replaces_id is null
)
select format('legs of %s in settlement %s, %s', coalesce(m.slug, d.member_id::text), s.reference,
              d.currency) as subject,
       'what its positions come to' as expected,
       format('%s micros too much', sum(d.amount)) as found
from side d
join settlement_settlement s on s.id = d.settlement_id
left join member m on m.id = d.member_id
where not exists (
    select 1 from settlement_leg stand_in
    where s.kind = 'exceptional' and stand_in.settlement_id = d.settlement_id
      and stand_in.member_id = d.member_id and stand_in.amount_minor = 0
)
group by s.reference, d.currency, d.member_id, m.slug
having sum(d.amount) <> 0
"""

DUES: Final = f"""
with {_SIDES}, family (id, origin_id) as (
    select id, coalesce(origin_id, id) from settlement_settlement
), open (id) as (
    select f.origin_id from family f join settlement_settlement s on s.id = f.id
    where s.status not in ('settled', 'aborted')
    union
    -- Money that came back, or never came, is due until it is paid again.
    select f.origin_id from family f join settlement_leg l on l.settlement_id = f.id
    where l.status in ('rejected', 'returned', 'planned', 'submitted', 'accepted', 'unknown')
)
select format('due of %s after settlement %s', coalesce(m.slug, d.owner::text), s.reference)
           as subject,
       '0 micros' as expected, format('%s micros of %s', sum(d.amount), d.currency) as found
from side d
join family f on f.id = d.settlement_id
join settlement_settlement s on s.id = f.origin_id
left join member m on m.id = d.owner
where d.account in ('member_due', 'margin') and f.origin_id not in (select id from open)
group by d.owner, m.slug, s.reference, d.currency
having sum(d.amount) <> 0
"""

IN_TRANSIT: Final = f"""
with {_SIDES}
select format('leg %s, %s', l.reference, l.status) as subject,
       format('%s micros in transit', l.expected) as expected,
       format('%s micros', coalesce(d.amount, 0)) as found
from (
    select id, reference, status,
           case when status in ('submitted', 'accepted', 'unknown')
                then net_micros - remainder_micros else 0 end as expected
    from settlement_leg
) l
left join (
    select owner, sum(amount) as amount from side where account = 'in_transit' group by owner
) d on d.owner = l.id
where coalesce(d.amount, 0) <> l.expected
"""

OWN_MOVES: Final = f"""
with {_SIDES}
select format('%s on bank account %s', m.name, m.account_id) as subject,
       format('%s micros yet to be shown, and as much in transit', m.open_micros) as expected,
       format('lines come to %s, in transit are %s', coalesce(l.amount, 0), coalesce(d.amount, 0))
           as found
from settlement_bank_move m
left join (
    select move_id, sum(amount_micros) as amount from settlement_bank_match
    where move_id is not null group by move_id
) l on l.move_id = m.id
left join (
    select owner, sum(amount) as amount from side where account = 'in_transit' group by owner
) d on d.owner = m.id
where coalesce(l.amount, 0) <> -m.open_micros or coalesce(d.amount, 0) <> -m.open_micros
"""

PREFUND: Final = f"""
with {_SIDES}
select format('money paid ahead by %s', coalesce(m.slug, d.owner::text)) as subject,
       'not below zero' as expected, format('%s micros of %s', sum(d.amount), d.currency) as found
from side d left join member m on m.id = d.owner
where d.account = 'prefund'
group by d.owner, m.slug, d.currency
having sum(d.amount) < 0
"""

ROUNDED: Final = """
select format('leg %s', reference) as subject,
       'paid and left over by rounding = net' as expected,
       format('net %s, %s left over', net_micros, remainder_micros) as found
from settlement_leg
where sign(net_micros - remainder_micros) * sign(net_micros) < 0
   or (amount_minor = 0) <> (net_micros = remainder_micros)
   or (amount_minor > 0 and (net_micros - remainder_micros) % amount_minor <> 0)
"""

WINDOWS: Final = """
select format('window %s', w.id) as subject,
       case w.status when 'in_settlement' then 'one settlement that is under way'
                     else 'none that is under way' end as expected,
       format('%s, in %s under way and %s settled', w.status,
              count(s.id) filter (where s.status not in ('settled', 'aborted')),
              count(s.id) filter (where s.status = 'settled')) as found
from settlement_window w
left join settlement_covered_window c on c.window_id = w.id and c.live
left join settlement_settlement s on s.id = c.settlement_id
group by w.id, w.status
having count(s.id) filter (where s.status not in ('settled', 'aborted'))
           <> case w.status when 'in_settlement' then 1 else 0 end
    or count(s.id) filter (where s.status = 'aborted') > 0
    or (w.status <> 'settled' and count(s.id) filter (where s.status = 'settled') > 0)
"""

TWO_PEOPLE: Final = """
select format('settlement %s', reference) as subject,
       'recorded and approved by two people' as expected,
       format('%s, recorded by %s, approved by %s', status, recorded_by, approved_by) as found
from settlement_settlement
where approved_by = recorded_by
   or (status in ('approved', 'submitted', 'settling', 'settled') and
       (recorded_by is null or approved_by is null))
union all
select format('account %s', id), 'proposed and approved by two people',
       format('%s, by %s and %s', status, made_by, approved_by)
from settlement_pay_account
where made_by = approved_by or (status in ('active', 'replaced') and approved_by is null)
"""

FILES: Final = """
select format('leg %s', l.reference) as subject, 'in exactly one file' as expected,
       format('in %s', count(f.id)) as found
from settlement_leg l
left join settlement_file f on f.batch_id = l.batch_id and l.reference = any(f.leg_references)
where l.batch_id is not null
group by l.reference
having count(f.id) <> 1
"""

PREFUNDED_ROOM: Final = f"""
with {_SIDES}, held (member_id, currency, amount) as (
    select owner, currency, sum(amount) from side where account = 'prefund'
    group by owner, currency
)
select format('room of %s', coalesce(m.slug, e.member_id::text)) as subject,
       format('at most %s micros paid ahead', coalesce(h.amount, 0)) as expected,
       format('%s micros', e.prefunded_micros) as found
from exposure e
left join (select member_id, max(amount) as amount from held group by member_id) h
  on h.member_id = e.member_id
left join member m on m.id = e.member_id
where e.prefunded_micros > coalesce(h.amount, 0)
"""

DISPUTED_LINES: Final = """
with acted as (
    select l.wallet_id, l.line_id,
           sum(case l.action when 'released' then 1 else -1 end) as times
    from settlement_disputed_line l join settlement_settlement s on s.id = l.settlement_id
    where s.status <> 'aborted' group by l.wallet_id, l.line_id
), line as (
    select distinct wallet_id, line_id, window_id from settlement_dispute_line
)
select format('disputed line %s of wallet %s', a.line_id, a.wallet_id) as subject,
       'in no settlement, or in one' as expected,
       format('in %s', a.times + c.windows) as found
from acted a
join line using (wallet_id, line_id)
cross join lateral (
    select count(*) as windows from settlement_covered_window w
    where w.window_id = line.window_id and w.live
) c
where a.times + c.windows not between 0 and 1
"""

# Nil where it is paid, paid again or covered. Debts of an earlier default are burns' too where the
# debtor had a contract in their currency then, which no table says: with them, or without.
CARRIED: Final = """
with recursive line (origin, wanted, carried) as (
    select format('%s:%s', d.wallet_id, d.line_id),
           case d.action when 'frozen' then o.funded_micros else -o.funded_micros end, 0
    from settlement_disputed_line d
    join settlement_settlement s on s.id = d.settlement_id and s.status = 'settled'
    join obligation o on o.wallet_id = d.wallet_id and o.id = d.line_id
         and o.kind in ('capture', 'refund')
    union all
    select origin, 0, micros from carried_exposure
    where origin not like 'leg:%' and origin not like 'debt:%'
), debt as (
    select id, split_part(reference, ':', 2) as cover, debtor_id, currency, window_id,
           amount_micros, sum(amount_micros) over before - amount_micros as earlier
    from member_debt where plugin = 'settlement' and starts_with(reference, 'default:')
    window before as (
        partition by split_part(reference, ':', 2), debtor_id, currency order by id
    )
), disputed as (
    select settlement_id, line_id, action from settlement_disputed_line
    where wallet_id = '00000000-0000-0000-0000-000000000000'
), taken (settlement_id, debt_id) as (
    select c.settlement_id, d.id from debt d
    join settlement_covered_window c on c.window_id = d.window_id
    where (c.settlement_id, d.id, 'frozen') not in (select * from disputed)
    union all
    select settlement_id, line_id from disputed where action = 'released'
), part (settlement_id, member_id, currency, burns, debts) as (
    select c.settlement_id, t.issuer_id, t.currency, t.funded_micros, 0
    from window_total t join settlement_covered_window c on c.window_id = t.window_id
    where t.kind in ('capture', 'refund')
    union all
    select d.settlement_id, o.issuer_id, o.currency,
           case d.action when 'frozen' then -o.funded_micros else o.funded_micros end, 0
    from settlement_disputed_line d
    join obligation o on o.wallet_id = d.wallet_id and o.id = d.line_id
         and o.kind in ('capture', 'refund')
    union all
    select t.settlement_id, d.debtor_id, d.currency, 0, d.amount_micros
    from taken t join debt d on d.id = t.debt_id
), stake as (
    select p.settlement_id, p.member_id, p.currency, greatest(sum(p.burns), 0) as least,
           greatest(sum(p.burns + p.debts), 0) as most
    from part p
    join settlement_settlement s on s.id = p.settlement_id and s.status = 'settled'
    group by p.settlement_id, p.member_id, p.currency
), cover (leg_id, reference) as (
    select l.replaces_id, s.reference
    from settlement_leg l join settlement_settlement s on s.id = l.settlement_id
    where l.replaces_id is not null and s.kind = 'exceptional'
      and s.status in ('approved', 'submitted', 'settling', 'settled')
), again (first_id, id, settlement_id, paid) as (
    select id, id, settlement_id, false from settlement_leg where status = 'returned'
    union all
    select a.first_id, l.id, l.settlement_id, l.status in ('booked', 'returned')
    from again a join settlement_leg l on l.replaces_id = a.id
    where l.settlement_id = a.settlement_id
), unpaid (origin, least, most, carried) as (
    select 'leg:' || l.id, least(abs(l.net_micros - l.remainder_micros), k.least),
           least(abs(l.net_micros - l.remainder_micros), k.most), 0
    from settlement_leg l
    join stake k on k.settlement_id = l.settlement_id and k.member_id = l.member_id
         and k.currency = l.currency
    where l.status = 'returned' and l.net_micros < 0 and not exists (
        select 1 from again a left join cover c on c.leg_id = a.id
        where a.first_id = l.id and (a.paid or c.leg_id is not null)
    )
    union all
    select 'debt:' || d.id, least(d.amount_micros, greatest(k.least - d.earlier, 0)),
           least(d.amount_micros, greatest(k.most - d.earlier, 0)), 0
    from debt d
    join cover c on c.reference = d.cover
    join settlement_leg l on l.id = c.leg_id
    join stake k on k.settlement_id = l.settlement_id and k.member_id = d.debtor_id
         and k.currency = d.currency
    where d.id not in (
        select t.debt_id from taken t join settlement_settlement s on s.id = t.settlement_id
        where s.status = 'settled'
    )
    union all
    select origin, 0, 0, micros from carried_exposure
    where origin like 'leg:%' or origin like 'debt:%'
)
select format('what a cap counts of line %s', origin) as subject,
       format('%s micros', sum(wanted)) as expected, format('%s micros', sum(carried)) as found
from line group by origin having sum(wanted) <> sum(carried)
union all
select format('what a cap counts of %s', origin),
       case when sum(least) = sum(most) then format('%s micros', sum(most))
            else format('%s to %s micros', sum(least), sum(most)) end,
       format('%s micros', sum(carried))
from unpaid group by origin having sum(carried) not between sum(least) and sum(most)
"""

CHECKS: Final = (
    Check("settlement_positions", "The positions of a settlement sum to zero.", POSITIONS),
    Check("settlement_flows", "Positions are what the gross matrix comes to.", FLOWS),
    Check("settlement_legs", "Legs are what positions come to.", LEGS),
    Check("settlement_rounding", "A leg is rounded once, and what is left is known.", ROUNDED),
    Check("settlement_dues", "A settled settlement leaves nothing due.", DUES),
    Check("settlement_transit", "Money is in transit while its leg is with a rail.", IN_TRANSIT),
    Check("settlement_moves", "What moves between own accounts is in transit.", OWN_MOVES),
    Check("settlement_prefund", "Nobody has used more than was paid ahead.", PREFUND),
    Check("settlement_room", "Caps are raised by what was paid ahead at most.", PREFUNDED_ROOM),
    Check("settlement_windows", "A window is in at most one live settlement.", WINDOWS),
    Check("settlement_lines", "A disputed line is settled once at most.", DISPUTED_LINES),
    Check("settlement_carried", "Caps count what settled windows leave unpaid.", CARRIED),
    Check("settlement_people", "Two people vouch for settlements and accounts.", TWO_PEOPLE),
    Check("settlement_files", "A leg that a file pays is in exactly one.", FILES),
)
"""Every check, in the order they run."""
