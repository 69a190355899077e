"""Rows point at rows that exist, and transfers have the shape of their code.

The hot tables carry no foreign keys; these checks prove what foreign keys would.
"""

from __future__ import annotations

from typing import Final

from marketplace.contract.proving import Check

WALLET_OWNERS: Final = """
select format('wallet %s', w.id) as subject,
       'an owner that exists, and the sponsor of its firm' as expected,
       format('participant %s, firm %s, sponsor %s', w.participant_id, w.firm_id, w.sponsor_id)
           as found
from wallet w
left join participant p on p.id = w.participant_id
left join firm f on f.id = coalesce(p.firm_id, w.firm_id)
where f.id is null or f.sponsor_id is distinct from w.sponsor_id
"""

LOT_REFERENCES: Final = """
select format('lot %s of wallet %s', l.id, l.wallet_id) as subject,
       'a wallet that exists and a contract of its issuer' as expected,
       format('wallet %s, contract %s of %s, issuer %s', coalesce(w.id::text, 'missing'),
              l.contract_id, coalesce(c.member_id::text, 'nobody'), l.issuer_id) as found
from lot l
left join wallet w on w.id = l.wallet_id
left join contract c on c.id = l.contract_id
where w.id is null or c.member_id is distinct from l.issuer_id
"""

# A rejected burn may name a wallet or an offer that never was: that is why it was rejected.
BURN_REFERENCES: Final = """
select format('burn %s of wallet %s', b.id, b.wallet_id) as subject,
       'a wallet, an offer and the acceptor of that offer' as expected,
       format('wallet %s, offer %s, acceptor %s', coalesce(w.id::text, 'missing'),
              coalesce(o.id::text, 'missing'), coalesce(m.slug, 'missing')) as found
from burn b
left join wallet w on w.id = b.wallet_id
left join offer o on o.id = b.offer_id
left join member m on m.id = b.acceptor_id
where b.status <> 'rejected' and (w.id is null or o.id is null or m.id is null)
"""

GIFT_REFERENCES: Final = """
select format('gift %s of burn %s', g.id, g.burn_id) as subject,
       'a burn of the wallet of its giver, and a colleague' as expected,
       format('burn %s, giver %s, colleague %s', coalesce(b.status::text, 'missing'),
              coalesce(giver.reference, 'missing'), coalesce(other.reference, 'missing')) as found
from burn_gift g
left join burn b on b.id = g.burn_id and b.wallet_id = g.wallet_id and b.status <> 'rejected'
left join wallet w on w.id = g.wallet_id and w.participant_id = g.from_participant_id
left join participant giver on giver.id = g.from_participant_id
left join participant other on other.id = g.to_participant_id
where b.id is null or w.id is null or giver.id is null or other.id is null
"""

DRAW_REFERENCES: Final = """
select format('draw %s of burn %s', d.id, d.burn_id) as subject,
       'a burn and a lot of the same wallet and issuer' as expected,
       format('burn %s, lot %s', coalesce(b.status::text, 'missing'),
              case when l.id is null then 'missing' when l.issuer_id <> d.issuer_id
                   then 'of another issuer' else 'there' end) as found
from draw d
left join burn b on b.id = d.burn_id and b.wallet_id = d.wallet_id
left join lot l on l.id = d.lot_id and l.wallet_id = d.wallet_id
where b.id is null or l.issuer_id is distinct from d.issuer_id
"""

KEYS: Final = """
select format('idempotency key %s of caller %s', k.key, k.caller_id) as subject,
       'a burn or refund of the same wallet and caller' as expected,
       format('nothing with id %s in wallet %s', k.subject_id, k.wallet_id) as found
from idempotency_key k
left join burn b on b.id = k.subject_id and b.wallet_id = k.wallet_id
    and b.caller_id = k.caller_id
left join refund r on r.id = k.subject_id and r.wallet_id = k.wallet_id
    and r.caller_id = k.caller_id
where b.id is null and r.id is null
"""

TRANSFER_SHAPE: Final = """
with allowed (code, debit, credit, in_points) as (values
    ('issue'::transfer_code, 'issuer_issued'::account, 'wallet_available'::account, true),
    ('issue', 'issuer_receivable', 'issuer_pool', false),
    ('hold', 'wallet_available', 'wallet_held', true),
    ('void', 'wallet_held', 'wallet_available', true),
    ('capture', 'wallet_held', 'issuer_redeemed', true),
    ('capture', 'issuer_receivable', 'acceptor_payable', false),
    ('capture', 'issuer_receivable', 'operator_margin', false),
    ('capture', 'issuer_pool', 'acceptor_payable', false),
    ('capture', 'issuer_pool', 'operator_margin', false),
    ('capture', 'operator_margin', 'acceptor_payable', false),
    ('refund', 'issuer_redeemed', 'wallet_available', true),
    ('refund', 'acceptor_payable', 'issuer_receivable', false),
    ('refund', 'operator_margin', 'issuer_receivable', false),
    ('refund', 'acceptor_payable', 'issuer_pool', false),
    ('refund', 'operator_margin', 'issuer_pool', false),
    ('refund', 'acceptor_payable', 'operator_margin', false),
    ('expire', 'wallet_available', 'issuer_expired', true),
    ('expire', 'issuer_pool', 'issuer_breakage', false),
    ('expire', 'issuer_pool', 'operator_breakage', false),
    ('owe', 'member_clearing', 'member_clearing', false)
)
select format('transfer %s of wallet %s', t.id, t.wallet_id) as subject,
       format('what %s may do, on accounts of its own wallet, with its event%s', t.code,
              case when t.unit = 'POINTS' then '' else ' and window' end) as expected,
       format('%s(%s) -> %s(%s), %s, burn %s, lot %s, debt %s, window %s', t.debit_account,
              t.debit_owner, t.credit_account, t.credit_owner, t.unit, t.burn_id, t.lot_id,
              t.debt_id, t.window_id) as found
from transfer t
left join allowed a on a.code = t.code and a.debit = t.debit_account
    and a.credit = t.credit_account and a.in_points = (t.unit = 'POINTS')
where a.code is null
   or (t.debit_account in ('wallet_available', 'wallet_held') and t.debit_owner <> t.wallet_id)
   or (t.credit_account in ('wallet_available', 'wallet_held') and t.credit_owner <> t.wallet_id)
   or (t.code in ('issue', 'expire')) <> (t.lot_id is not null)
   or (t.code = 'owe') <> (t.debt_id is not null)
   or (t.unit = 'POINTS') <> (t.window_id is null)
"""

TRANSFER_OWNERS: Final = """
with owner (account, id) as (
    select debit_account, debit_owner from transfer group by 1, 2
    union
    select credit_account, credit_owner from transfer group by 1, 2
)
select format('account %s of %s', o.account, o.id) as subject,
       case when o.account in ('operator_margin', 'operator_breakage')
            then 'the operator' else 'a member of the coalition' end as expected,
       coalesce(m.slug, 'no such member') as found
from owner o
left join member m on m.id = o.id
where o.account not in ('wallet_available', 'wallet_held')
  and (m.id is null
       or (o.account in ('operator_margin', 'operator_breakage') and not m.is_operator))
"""

STOCK: Final = """
select format('stock of offer %s', coalesce(o.reference, s.offer_id::text)) as subject,
       'an offer that exists, and no fewer than 0 units' as expected,
       format('%s units of %s', s.remaining, coalesce(o.name, 'no offer')) as found
from offer_stock s
left join offer o on o.id = s.offer_id
where o.id is null or s.remaining < 0
"""

# What each offer's closures come to, as exchange.closures makes it.
CLOSURES: Final = """
select format('offer %s', o.reference) as subject,
       coalesce(wanted.closed::text, 'open') as expected,
       coalesce(o.closed::text, 'open') as found
from offer o
left join lateral (
    select jsonb_strip_nulls(
        jsonb_build_object('cause', c.cause, 'words', nullif(c.words, ''))) as closed
    from plugin_closure c
    where c.plugin = o.plugin and (c.member_id is null or c.member_id = o.acceptor_id)
    order by c.cause, c.member_id nulls first
    limit 1
) wanted on true
where o.closed is distinct from wanted.closed
"""

CHECKS: Final = (
    Check("wallet_owners", "Each wallet belongs to a participant or a firm.", WALLET_OWNERS),
    Check("lot_references", "Each lot knows its wallet, issuer and contract.", LOT_REFERENCES),
    Check("burn_references", "Each burn knows its wallet, offer and acceptor.", BURN_REFERENCES),
    Check("gift_references", "Each gift knows its burn and its two people.", GIFT_REFERENCES),
    Check("draw_references", "Each draw knows its burn and its lot.", DRAW_REFERENCES),
    Check("idempotency_keys", "Each key points at the burn or refund it made.", KEYS),
    Check("transfer_shape", "Each transfer has the shape of its code.", TRANSFER_SHAPE),
    Check("transfer_owners", "Accounts of members belong to members.", TRANSFER_OWNERS),
    Check("stock", "Stock belongs to an offer and is never negative.", STOCK),
    Check("offer_closures", "Each offer is closed as its plugin's closures say.", CLOSURES),
)
