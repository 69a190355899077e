"""rows of burns that are written without a look before"""

from __future__ import annotations

from alembic import op

revision = "core_0029"
down_revision = "core_0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "create type engine_ask as (id uuid, wallet_id uuid, offer_id uuid, caller_id uuid,"
        " from_any boolean, sponsor_id uuid, participant_id uuid, offer_version bigint,"
        " quantity int, key text, request_hash bytea, transfer_id bigint, draw_id bigint)"
    )


def downgrade() -> None:
    op.execute("drop type engine_ask")
