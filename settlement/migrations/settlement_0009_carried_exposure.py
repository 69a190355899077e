"""lines that were left out of settlements count against caps until they are paid"""

from __future__ import annotations

from alembic import op

revision = "settlement_0009"
down_revision = "settlement_0008"
branch_labels = None
depends_on = None

LINES = """
insert into carried_exposure (origin, cause_id, member_id, currency, micros)
select format('%s:%s', d.wallet_id, d.line_id), d.settlement_id, o.issuer_id, o.currency,
       case d.action when 'frozen' then o.funded_micros else -o.funded_micros end
from settlement_disputed_line d
join settlement_settlement s on s.id = d.settlement_id and s.status = 'settled'
join obligation o on o.wallet_id = d.wallet_id and o.id = d.line_id
     and o.kind in ('capture', 'refund') and o.funded_micros <> 0
"""
EXPOSURES = """
update exposure e set used_micros = e.used_micros + c.micros
from (select member_id, sum(micros) as micros from carried_exposure group by member_id) c
where c.member_id = e.member_id
"""


def upgrade() -> None:
    """The core's table is there: its history is upgraded first, and nobody has filled it yet."""
    op.execute(LINES)
    op.execute(EXPOSURES)


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
