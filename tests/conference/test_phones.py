"""Tickets for the wallets of phones: a button where the operator gave keys, none where not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from marketplace_conference.settings import ConferenceSettings

from marketplace.host import forget_settings
from marketplace.identity.domain import Role
from marketplace.ids import uuid7
from marketplace.registry import values
from marketplace.registry.models import PluginSetting
from marketplace.runtime import Runtime
from tests.conference.test_tickets import Make, Sale, sale, worker
from tests.fulfilment.conftest import counter

__all__ = ["counter", "sale", "worker"]


def keys() -> ConferenceSettings:
    """Both wallets, with a certificate that signed itself."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Pass")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return ConferenceSettings(
        apple_pass_type="pass.example",
        apple_team="TEAM",
        apple_certificate=pem,
        apple_key=private,
        apple_intermediate=pem,
        google_issuer="1",
        google_account="a@example.org",
        google_key=private,
    )


async def give(runtime: Runtime, settings: ConferenceSettings) -> None:
    """As the operator gives them in the console."""
    plain, secrets = values.pack(settings, runtime.vault)
    async with runtime.database.begin() as session:
        await session.execute(
            sa.insert(PluginSetting).values(
                id=uuid7(),
                plugin="conference",
                member_id=None,
                sandbox=False,
                plain=plain,
                secrets=secrets,
                actor="test",
            )
        )
    forget_settings()


async def test_a_ticket_goes_into_a_wallet_that_was_set_up(
    sale: Sale, runtime: Runtime, sign_in: Make
) -> None:
    page = f"/conference/tickets/{sale.burn_id}"

    async def get(rest: str = "", who: str = "") -> httpx.Response:
        headers = await sign_in(Role.PARTICIPANT, who) if who else sale.ann
        return await sale.client.get(page + rest, headers=headers, follow_redirects=False)

    assert "Add to Apple Wallet" not in (await get()).text
    assert {
        (await get(f"/1/{each}")).status_code for each in ("ticket.pkpass", "google-wallet")
    } == {404}
    await give(runtime, await asyncio.to_thread(keys))
    shown = (await get()).text
    assert f'href="{page}/1/ticket.pkpass"' in shown
    assert f'href="{page}/1/google-wallet"' in shown
    apple, google = await get("/1/ticket.pkpass"), await get("/1/google-wallet")
    assert apple.headers["content-type"] == "application/vnd.apple.pkpass"
    assert apple.content.startswith(b"PK")
    assert google.status_code == 303
    assert google.headers["location"].startswith("https://pay.google.com/gp/v/save/")
    assert (await get("/1/ticket.pkpass", "bob")).status_code == 404
    assert (await get("/9/ticket.pkpass")).status_code == 404
