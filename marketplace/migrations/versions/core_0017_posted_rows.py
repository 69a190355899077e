"""rows of captures and refunds as they are sent: one array of each kind"""

from __future__ import annotations

from alembic import op

revision = "core_0017"
down_revision = "core_0016"
branch_labels = None
depends_on = None

# An array of rows is quicker to encode than an array for each column.
TYPES = (
    """
create type posted_transfer as (
    wallet_id uuid, id bigint, code text, debit_account text, debit_owner uuid,
    credit_account text, credit_owner uuid, unit text, amount bigint, burn_id uuid)
""",
    """
create type posted_obligation as (
    wallet_id uuid, id bigint, kind text, funding text, issuer_id uuid, acceptor_id uuid,
    contract_id uuid, acceptor_contract_id uuid, burn_id uuid, lot_id bigint, points bigint,
    currency text, funded_micros bigint, cost_micros bigint)
""",
    """
create type posted_delivery as (
    burn_id uuid, wallet_id uuid, plugin text, supplier_reference text)
""",
    """
create type posted_artefact as (
    burn_id uuid, wallet_id uuid, position smallint, kind text, label text, secret bytea,
    expires_at timestamptz)
""",
)


def upgrade() -> None:
    for statement in TYPES:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
