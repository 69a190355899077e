"""the moment before which nothing may be dated"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "core_0014"
down_revision = "core_0013"
branch_labels = None
depends_on = None

FUNCTIONS = (
    """
create function marketplace_locked_until() returns timestamptz language sql stable as
$$ select locked_until from period_lock order by id desc limit 1 $$
""",
    # Debts are few and the clock is set hardly ever, so a trigger costs nothing that matters.
    # What is dated by business time is safe as soon as the clock is.
    """
create function marketplace_forbid_locked() returns trigger language plpgsql as $$
declare
    locked timestamptz := marketplace_locked_until();
    moment timestamptz := coalesce(
        (to_jsonb(new)->>'effective_at')::timestamptz,
        statement_timestamp() + (to_jsonb(new)->>'shift')::interval);
begin
    if moment < locked then
        raise exception 'period_locked: nothing may be dated before %', locked
            using errcode = 'check_violation';
    end if;
    return new;
end $$
""",
)


def upgrade() -> None:
    """Table period_lock; triggers on what is dated and not in the path of burns."""
    op.create_table(
        "period_lock",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_period_lock")),
    )
    op.execute(
        "create trigger insert_only before update or delete on period_lock "
        "for each row execute function marketplace_forbid_change()"
    )
    op.execute(
        "create trigger insert_only_truncate before truncate on period_lock "
        "for each statement execute function marketplace_forbid_change()"
    )
    for function in FUNCTIONS:
        op.execute(function)
    op.execute(
        "create trigger not_into_a_locked_period before insert on member_debt "
        "for each row execute function marketplace_forbid_locked()"
    )
    op.execute(
        "create trigger not_into_a_locked_period before update on clock "
        "for each row execute function marketplace_forbid_locked()"
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
