"""What the exported journal says of disputes beside transfers: which line each adjustment undoes.

An adjustment is a debt like any other. So that a stranger can take it off the right burn or debt,
the journal names the line, with the burn or the debt that it is of. Nobody's words are in it.
"""

from __future__ import annotations

from typing import Final

from marketplace.api import JournalNotes

ADJUSTMENTS: Final = """
select (b.effective_at at time zone 'UTC')::date as day, b.plugin || '/' || b.reference as debt,
       a.dispute_id::text as dispute, a.part as part,
       case when o.id is null then 'debt:' || a.line_id
            else a.wallet_id || ':' || a.line_id end as line,
       o.burn_id::text as burn, o.lot_id::text as lot, o.funding::text as funding,
       d.plugin || '/' || d.reference as undoes
from settlement_adjustment a
join member_debt b on b.id = a.debt_id
left join obligation o on o.wallet_id = a.wallet_id and o.id = a.line_id
left join member_debt d on d.id = a.line_id
     and a.wallet_id = '00000000-0000-0000-0000-000000000000'
order by b.id
"""
NOTES: Final = [JournalNotes("adjustment", ADJUSTMENTS)]
