"""How a mail server is named, secured and logged in to."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from marketplace.errors import UsageError
from marketplace.notices.transport import Away, SmtpServer, parse_smtp_url, transport_of
from marketplace.settings import Settings
from tests.notices.mailserver import Postbox, serve


def test_a_url_says_where_how_and_as_whom() -> None:
    url = "smtp+starttls://rewards%40x.example:p%2Fss@mail.example?timeout_s=3"
    assert parse_smtp_url(url) == SmtpServer(
        host="mail.example",
        port=587,
        tls="smtp+starttls",
        user="rewards@x.example",
        password="p/ss",
        timeout_s=3.0,
    )
    assert parse_smtp_url("smtps://mail.example").port == 465
    assert parse_smtp_url("smtp://[::1]:2525").host == "::1"


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example",
        "mail.example:25",
        "smtp://",
        "smtp://mail.example:x",
        "smtp://mail.example:99999",
        "smtp://mail.example/inbox",
        "smtp://mail.example?timeout_s=soon",
        "smtp://mail.example?timeout_s=0",
        "smtp://mail.example?color=red",
        "smtp://me:s3cret@mail.example",
    ],
)
def test_a_url_of_no_sense_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_smtp_url(url)
    assert "MARKETPLACE_SMTP_URL" in refused.value.detail
    assert "s3cret" not in refused.value.detail


def test_without_settings_there_is_no_way_out() -> None:
    assert transport_of(Settings()) is None


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that signs itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    """Lets in `me` with the right password."""
    assert isinstance(data, LoginPassword)
    return AuthResult(success=(data.login, data.password) == (b"me", b"right"), handled=False)


@pytest.fixture
def secured(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Postbox, int]]:
    """A server that demands STARTTLS and a password; its certificate is trusted here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    box = Postbox()
    controller = serve(
        box,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    yield box, controller.port
    controller.stop()


def hello() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "rewards@x.example"
    message["To"] = "ann@acme.example"
    message.set_content("Hello")
    return message


def test_a_mail_goes_encrypted_and_logged_in(secured: tuple[Postbox, int]) -> None:
    box, port = secured
    server = parse_smtp_url(f"smtp+starttls://me:right@127.0.0.1:{port}?timeout_s=3")
    with server.open() as line:
        line.send(hello())
    assert len(box.received) == 1


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("smtp+starttls://me:wrong@127.0.0.1:{port}", "535"),
        ("smtp+starttls://me:right@localhost:{port}", "certificate"),
        ("smtps://me:right@127.0.0.1:{port}?timeout_s=2", "."),
    ],
)
def test_what_is_not_safe_or_not_allowed_sends_nothing(
    url: str, why: str, secured: tuple[Postbox, int]
) -> None:
    box, port = secured
    with pytest.raises(Away, match=why), parse_smtp_url(url.format(port=port)).open():
        pass
    assert box.received == []


def test_a_server_without_tls_is_not_used_where_tls_is_demanded(postbox: Postbox) -> None:
    url = postbox.url.replace("smtp://", "smtp+starttls://")
    with pytest.raises(Away, match="STARTTLS"), parse_smtp_url(url).open():
        pass
