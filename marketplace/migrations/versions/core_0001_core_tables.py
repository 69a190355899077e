"""core tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ENUM

revision = "core_0001"
down_revision = None
branch_labels = None
depends_on = None

BURN_STATUS = ENUM("rejected", "held", "captured", "voided", name="burn_status", create_type=False)
FULFILMENT_STATE = ENUM(
    "queued",
    "ordering",
    "retry",
    "pending",
    "unknown",
    "dead",
    "done",
    name="fulfilment_state",
    create_type=False,
)
DRAW_KIND = ENUM("draw", "restore", name="draw_kind", create_type=False)
FUNDING = ENUM("redemption", "issuance", name="funding", create_type=False)
OBLIGATION_KIND = ENUM(
    "issuance", "capture", "refund", "expiry", name="obligation_kind", create_type=False
)
WINDOW_STATUS = ENUM(
    "open", "closing", "closed", "in_settlement", "settled", name="window_status", create_type=False
)
TRANSFER_CODE = ENUM(
    "issue", "hold", "capture", "void", "refund", "expire", name="transfer_code", create_type=False
)
ACCOUNT = ENUM(
    "wallet_available",
    "wallet_held",
    "issuer_issued",
    "issuer_redeemed",
    "issuer_expired",
    "issuer_receivable",
    "issuer_pool",
    "issuer_breakage",
    "acceptor_payable",
    "operator_margin",
    "operator_breakage",
    name="account",
    create_type=False,
)
CONTRACT_ROLE = ENUM("issuer", "acceptor", "both", name="contract_role", create_type=False)
BREAKAGE = ENUM("operator", "issuer", "shared", name="breakage", create_type=False)
OFFER_STATUS = ENUM(
    "announced", "on_sale", "paused", "retired", name="offer_status", create_type=False
)
ENUMS = (
    BURN_STATUS,
    FULFILMENT_STATE,
    DRAW_KIND,
    FUNDING,
    OBLIGATION_KIND,
    WINDOW_STATUS,
    TRANSFER_CODE,
    ACCOUNT,
    CONTRACT_ROLE,
    BREAKAGE,
    OFFER_STATUS,
)

FUNCTIONS = (
    """
create function marketplace_now() returns timestamptz language sql stable as
$$ select statement_timestamp() + (select shift from clock) $$
""",
    """
create function marketplace_forbid_change() returns trigger language plpgsql as $$
begin
    raise exception '% is insert-only: corrections are new rows', tg_table_name
        using errcode = 'insufficient_privilege';
end $$
""",
    # Called where a batch finds that what it read has changed: rolls its statement back.
    """
create function marketplace_conflict(what text) returns boolean language plpgsql as $$
begin
    raise exception 'conflict: % changed since it was read', what
        using errcode = 'serialization_failure';
end $$
""",
    # The program's role may not lock an insert-only table; this one lock it needs (exposure caps).
    """
create function marketplace_lock_draws() returns void language sql security definer
set search_path = pg_catalog, public, pg_temp as
$$ lock table public.draw in share row exclusive mode $$
""",
)

# Rows as the burn engine sends them: an array of one of these is quicker to encode than an array
# for each column.
ENGINE_TYPES = (
    "create type engine_key as (caller_id uuid, key text)",
    """
create type engine_burn as (
    id uuid, wallet_id uuid, offer_id uuid, caller_id uuid, acceptor_id uuid, plugin text,
    quantity int, points bigint, cost_micros bigint, currency text, limited boolean,
    rejection text, detail text, key text, request_hash bytea, wallet_version bigint,
    transfer_id bigint)
""",
    """
create type engine_draw as (
    wallet_id uuid, burn_id uuid, id bigint, lot_id bigint, issuer_id uuid, position bigint,
    points bigint)
""",
    "create type engine_exposure as (member_id uuid, micros bigint, cap bigint)",
    "create type engine_stock as (offer_id uuid, quantity bigint)",
    "create type engine_use as (wallet_id uuid, offer_id uuid)",
)

INSERT_ONLY = (
    "draw",
    "transfer",
    "obligation",
    "idempotency_key",
    "burn_resolution",
    "refund",
    "supplier_confirmation",
    "audit_entry",
)

FIRST_ROWS = (
    "insert into clock (id) values (1)",
    """
insert into settlement_window (id, status, opened_at)
values (gen_random_uuid(), 'open', statement_timestamp())
""",
)


def upgrade() -> None:
    for enum in ENUMS:
        enum.create(op.get_bind())
    op.create_table(
        "artefact",
        sa.Column("burn_id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("burn_id", "wallet_id", "position", name=op.f("pk_artefact")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column(
            "details", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
        info={"insert_only": True},
    )
    op.create_index(
        "ix_audit_entry_subject", "audit_entry", ["subject_kind", "subject_id"], unique=False
    )
    op.create_table(
        "burn",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("acceptor_id", sa.Uuid(), nullable=True),
        sa.Column("plugin", sa.String(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=True),
        sa.Column("limited", sa.Boolean(), nullable=False),
        sa.Column("status", BURN_STATUS, nullable=False),
        sa.Column("rejection", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("fulfilment", FULFILMENT_STATE, nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("refunded_points", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hold_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(status = 'rejected') = (rejection is not null)",
            name=op.f("ck_burn_rejection_has_code"),
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_burn_quantity_is_positive")),
        sa.CheckConstraint(
            "refunded_points between 0 and points", name=op.f("ck_burn_refund_is_within")
        ),
        sa.PrimaryKeyConstraint("id", "wallet_id", name=op.f("pk_burn")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        "ix_burn_due", "burn", ["due_at"], unique=False, postgresql_where="due_at is not null"
    )
    op.create_index(
        "ix_burn_limit", "burn", ["wallet_id", "offer_id"], unique=False, postgresql_where="limited"
    )
    op.create_table(
        "burn_resolution",
        sa.Column("burn_id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", BURN_STATUS, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("burn_id", "wallet_id", name=op.f("pk_burn_resolution")),
        info={"insert_only": True},
    )
    op.create_table(
        "clock",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("shift", sa.Interval(), server_default="0", nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_clock_clock_is_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock")),
    )
    op.create_table(
        "draw",
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("burn_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("kind", DRAW_KIND, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("points > 0", name=op.f("ck_draw_points_are_positive")),
        sa.PrimaryKeyConstraint("burn_id", "id", "wallet_id", name=op.f("pk_draw")),
        info={"insert_only": True},
    )
    op.create_table(
        "exposure",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("used_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_exposure")),
        postgresql_with={"fillfactor": 20},
    )
    op.create_table(
        "idempotency_key",
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("caller_id", "key", name=op.f("pk_idempotency_key")),
        info={"insert_only": True},
    )
    op.create_table(
        "lot",
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("funding", FUNDING, nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "expires_at", sa.DateTime(timezone=True), server_default="infinity", nullable=False
        ),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("open = (remaining > 0)", name=op.f("ck_lot_open_means_points_left")),
        sa.CheckConstraint(
            "remaining between 0 and points", name=op.f("ck_lot_remaining_is_within")
        ),
        sa.PrimaryKeyConstraint("wallet_id", "id", name=op.f("pk_lot")),
        sa.UniqueConstraint(
            "issuer_id", "reference", "wallet_id", name=op.f("uq_lot_issuer_id_reference_wallet_id")
        ),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        "ix_lot_draw_order",
        "lot",
        ["wallet_id", "expires_at", "effective_at", "id"],
        unique=False,
        postgresql_where="open",
    )
    op.create_index(
        "ix_lot_to_expire",
        "lot",
        ["expires_at"],
        unique=False,
        postgresql_where="open and expires_at < 'infinity'",
    )
    op.create_table(
        "member",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("country", sa.CHAR(length=2), nullable=False),
        sa.Column("is_operator", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
        sa.UniqueConstraint("slug", name=op.f("uq_member_slug")),
    )
    op.create_index(
        "uq_member_one_operator",
        "member",
        ["is_operator"],
        unique=True,
        postgresql_where="is_operator",
    )
    op.create_table(
        "obligation",
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("window_id", sa.Uuid(), nullable=False),
        sa.Column("kind", OBLIGATION_KIND, nullable=False),
        sa.Column("funding", FUNDING, nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("acceptor_id", sa.Uuid(), nullable=True),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("burn_id", sa.Uuid(), nullable=True),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("funded_micros", sa.BigInteger(), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("wallet_id", "id", name=op.f("pk_obligation")),
        info={"insert_only": True},
    )
    op.create_index(
        "ix_obligation_posted_at",
        "obligation",
        ["posted_at"],
        unique=False,
        postgresql_using="brin",
    )
    op.create_table(
        "offer_stock",
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("remaining >= 0", name=op.f("ck_offer_stock_remaining_is_not_negative")),
        sa.PrimaryKeyConstraint("offer_id", name=op.f("pk_offer_stock")),
        postgresql_with={"fillfactor": 20},
    )
    op.create_table(
        "refund",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("burn_id", sa.Uuid(), nullable=False),
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("points > 0", name=op.f("ck_refund_points_are_positive")),
        sa.PrimaryKeyConstraint("id", "wallet_id", name=op.f("pk_refund")),
        info={"insert_only": True},
    )
    op.create_index("ix_refund_burn_id", "refund", ["burn_id"], unique=False)
    op.create_table(
        "settlement_window",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("status", WINDOW_STATUS, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_window")),
    )
    op.create_index(
        "uq_settlement_window_one_open",
        "settlement_window",
        ["status"],
        unique=True,
        postgresql_where="status = 'open'",
    )
    op.create_table(
        "sign_in_failure",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_failure")),
    )
    op.create_index(
        "ix_sign_in_failure_email_at",
        "sign_in_failure",
        [sa.literal_column("lower(email)"), "at"],
        unique=False,
    )
    op.create_table(
        "supplier_confirmation",
        sa.Column("burn_id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("plugin", sa.String(), nullable=False),
        sa.Column("supplier_reference", sa.String(), nullable=False),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("burn_id", "wallet_id", name=op.f("pk_supplier_confirmation")),
        info={"insert_only": True},
    )
    op.create_table(
        "supplier_health",
        sa.Column("plugin", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("last_failure_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_success_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("plugin", name=op.f("pk_supplier_health")),
    )
    op.create_table(
        "transfer",
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", TRANSFER_CODE, nullable=False),
        sa.Column("debit_account", ACCOUNT, nullable=False),
        sa.Column("debit_owner", sa.Uuid(), nullable=False),
        sa.Column("credit_account", ACCOUNT, nullable=False),
        sa.Column("credit_owner", sa.Uuid(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("burn_id", sa.Uuid(), nullable=True),
        sa.Column("lot_id", sa.BigInteger(), nullable=True),
        sa.Column("window_id", sa.Uuid(), nullable=True),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_transfer_amount_is_positive")),
        sa.CheckConstraint(
            "num_nonnulls(burn_id, lot_id) = 1", name=op.f("ck_transfer_has_one_event")
        ),
        sa.PrimaryKeyConstraint("wallet_id", "id", name=op.f("pk_transfer")),
        info={"insert_only": True},
    )
    op.create_index(
        "ix_transfer_posted_at", "transfer", ["posted_at"], unique=False, postgresql_using="brin"
    )
    op.create_table(
        "wallet",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=True),
        sa.Column("firm_id", sa.Uuid(), nullable=True),
        sa.Column("sponsor_id", sa.Uuid(), nullable=True),
        sa.Column("available", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("held", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("available >= 0", name=op.f("ck_wallet_available_is_not_negative")),
        sa.CheckConstraint("held >= 0", name=op.f("ck_wallet_held_is_not_negative")),
        sa.CheckConstraint(
            "num_nonnulls(participant_id, firm_id) = 1", name=op.f("ck_wallet_has_one_owner")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallet")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("ix_wallet_firm_id", "wallet", ["firm_id"], unique=False)
    op.create_index("ix_wallet_participant_id", "wallet", ["participant_id"], unique=False)
    op.create_table(
        "api_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("hint", sa.String(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_api_key_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_key_digest")),
    )
    op.create_index("ix_api_key_member_id", "api_key", ["member_id"], unique=False)
    op.create_table(
        "contract",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("role", CONTRACT_ROLE, nullable=False),
        sa.Column("funding", FUNDING, nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("fee_bps", sa.Integer(), server_default="0", nullable=False),
        sa.Column("breakage", BREAKAGE, nullable=False),
        sa.Column("exposure_cap_micros", sa.BigInteger(), nullable=True),
        sa.Column("points_valid_days", sa.Integer(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "exposure_cap_micros >= 0", name=op.f("ck_contract_cap_is_not_negative")
        ),
        sa.CheckConstraint("fee_bps between 0 and 10000", name=op.f("ck_contract_fee_is_a_share")),
        sa.CheckConstraint("price_micros > 0", name=op.f("ck_contract_price_is_positive")),
        sa.CheckConstraint("valid_to > valid_from", name=op.f("ck_contract_ends_after_it_starts")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_contract_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract")),
        sa.UniqueConstraint("reference", name=op.f("uq_contract_reference")),
    )
    op.create_index(
        "ix_contract_member_id_valid_from", "contract", ["member_id", "valid_from"], unique=False
    )
    op.create_table(
        "firm",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("country", sa.CHAR(length=2), nullable=False),
        sa.Column("sponsor_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["sponsor_id"], ["member.id"], name=op.f("fk_firm_sponsor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_firm")),
        sa.UniqueConstraint("reference", name=op.f("uq_firm_reference")),
    )
    op.create_table(
        "offer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("acceptor_id", sa.Uuid(), nullable=False),
        sa.Column("plugin", sa.String(), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("limit_per_wallet", sa.Integer(), nullable=True),
        sa.Column("status", OFFER_STATUS, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "eligibility",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
        ),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.CheckConstraint("cost_micros >= 0", name=op.f("ck_offer_cost_is_not_negative")),
        sa.CheckConstraint("limit_per_wallet > 0", name=op.f("ck_offer_limit_is_positive")),
        sa.CheckConstraint("points > 0", name=op.f("ck_offer_points_are_positive")),
        sa.ForeignKeyConstraint(["acceptor_id"], ["member.id"], name=op.f("fk_offer_acceptor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer")),
        sa.UniqueConstraint("reference", name=op.f("uq_offer_reference")),
    )
    op.create_index("ix_offer_acceptor_id", "offer", ["acceptor_id"], unique=False)
    op.create_index("ix_offer_plugin_sku", "offer", ["plugin", "sku"], unique=False)
    op.create_table(
        "participant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["firm_id"], ["firm.id"], name=op.f("fk_participant_firm_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participant")),
        sa.UniqueConstraint("reference", name=op.f("uq_participant_reference")),
    )
    op.create_index("ix_participant_firm_id", "participant", ["firm_id"], unique=False)
    op.create_table(
        "person",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=True),
        sa.Column("firm_id", sa.Uuid(), nullable=True),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["firm_id"], ["firm.id"], name=op.f("fk_person_firm_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_person_member_id")),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participant.id"], name=op.f("fk_person_participant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
    )
    op.create_index("ix_person_participant_id", "person", ["participant_id"], unique=False)
    op.create_index("uq_person_email", "person", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "sign_in",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_sign_in_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in")),
        sa.UniqueConstraint("digest", name=op.f("uq_sign_in_digest")),
    )
    for statement in (*ENGINE_TYPES, *FUNCTIONS):
        op.execute(statement)
    for table in INSERT_ONLY:
        op.execute(
            f"create trigger insert_only before update or delete on {table} "
            "for each row execute function marketplace_forbid_change()"
        )
        op.execute(
            f"create trigger insert_only_truncate before truncate on {table} "
            "for each statement execute function marketplace_forbid_change()"
        )
    for row in FIRST_ROWS:
        op.execute(row)


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
