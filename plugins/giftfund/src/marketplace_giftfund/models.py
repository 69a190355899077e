"""Tables of the gift fund. Their names begin with the plugin's slug; no core table is touched."""

from __future__ import annotations

import sqlalchemy as sa

from marketplace.api import plugin_metadata

LOW_AT = 10
"""Units left at which a pool counts as low, unless it says otherwise."""

metadata = plugin_metadata()

pool = sa.Table(
    "giftfund_pool",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("low_at", sa.Integer, nullable=False, server_default=str(LOW_AT)),
    sa.Column("low_since", sa.DateTime(timezone=True)),
    sa.Column(
        "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
    ),
    sa.CheckConstraint("low_at >= 0", name="low_at_is_not_negative"),
    comment="One pool of codes per sku; low_since is set once its warning was given.",
)

order = sa.Table(
    "giftfund_order",
    metadata,
    sa.Column("reference", sa.Text, primary_key=True),
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("given", sa.Boolean, nullable=False),
    sa.Column(
        "answered_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
    ),
    comment="Every order answered, so that asking again answers the same.",
)

code = sa.Table(
    "giftfund_code",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("sku", sa.Text, sa.ForeignKey("giftfund_pool.sku"), nullable=False),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    sa.Column("label", sa.Text),
    sa.Column("expires_on", sa.Date),
    sa.Column(
        "uploaded_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
    ),
    sa.Column("order_reference", sa.Text),
    sa.Column("position", sa.SmallInteger),
    sa.CheckConstraint(
        "(order_reference is null) = (position is null)", name="given_codes_have_a_position"
    ),
    sa.UniqueConstraint("order_reference", "position"),
    sa.Index(
        "ix_giftfund_code_free",
        "sku",
        "expires_on",
        "id",
        postgresql_where="order_reference is null",
    ),
    comment="Codes, encrypted; the fingerprint keeps any code from being uploaded twice.",
)
