"""debts of defaults that were paid as they began to count against caps count no more

Until now the settlement that lacked a payment and the one that pays its debts could be settled at
once without seeing each other. Reads what is carried, which is little; rewrites nothing.
"""

from __future__ import annotations

from alembic import op

revision = "settlement_0011"
down_revision = "settlement_0010"
branch_labels = None
depends_on = None

PAID = """
with disputed as (
    select settlement_id, line_id, action from settlement_disputed_line
    where wallet_id = '00000000-0000-0000-0000-000000000000'
), taken (settlement_id, debt_id) as (
    select c.settlement_id, d.id
    from member_debt d join settlement_covered_window c on c.window_id = d.window_id
    where (c.settlement_id, d.id, 'frozen') not in (select * from disputed)
    union all
    select settlement_id, line_id from disputed where action = 'released'
), added as (
    insert into carried_exposure (origin, cause_id, member_id, currency, micros)
    select c.origin, s.id, c.member_id, c.currency, -sum(c.micros)
    from carried_exposure c
    join taken t on c.origin = 'debt:' || t.debt_id
    join settlement_settlement s on s.id = t.settlement_id and s.status = 'settled'
    group by c.origin, s.id, c.member_id, c.currency
    having sum(c.micros) <> 0
    returning member_id, micros
)
update exposure e set used_micros = e.used_micros + a.micros
from (select member_id, sum(micros) as micros from added group by member_id) a
where a.member_id = e.member_id
"""


def upgrade() -> None:
    op.execute(PAID)


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
