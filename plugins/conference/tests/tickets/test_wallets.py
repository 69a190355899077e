"""Tickets for phones, checked by others: openssl reads the signature, the token is taken apart."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from marketplace_conference.settings import ConferenceSettings
from marketplace_conference.wallets import apple, google
from msgspec.structs import replace
from PIL import Image
from ticket_samples import EVENT, SESSION, sheet

from marketplace.api import NotConfigured

NOW = datetime(2026, 9, 1, tzinfo=UTC)


def made_by(
    name: str, issuer: str, key: rsa.RSAPrivateKey, signer: rsa.RSAPrivateKey, authority: bool
) -> x509.Certificate:
    """A certificate; an authority's where it signs others."""
    called = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer)]
    builder = x509.CertificateBuilder().subject_name(called[0]).issuer_name(called[1])
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    now = datetime.now(UTC)
    builder = builder.not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=30))
    limits = x509.BasicConstraints(ca=authority, path_length=None)
    return builder.add_extension(limits, critical=True).sign(signer, SHA256())


def text(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(scope="module")
def keys() -> tuple[rsa.RSAPrivateKey, ConferenceSettings]:
    """The operator's key, and settings with both wallets."""
    above, own = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    authority = made_by("WWDR", "WWDR", above, above, authority=True)
    mine = made_by("Pass", "WWDR", own, above, authority=False)
    settings = ConferenceSettings(
        apple_pass_type="pass.example.tickets",
        apple_team="TEAM123456",
        apple_certificate=mine.public_bytes(Encoding.PEM).decode(),
        apple_key=text(own).replace("\n", "\\n"),
        apple_intermediate=authority.public_bytes(Encoding.PEM).decode(),
        google_issuer="3388000000012345678",
        google_account="tickets@example.iam.gserviceaccount.com",
        google_key=text(own),
    )
    return own, settings


def test_openssl_believes_the_pass_and_its_manifest_names_every_file(
    keys: tuple[rsa.RSAPrivateKey, ConferenceSettings], tmp_path: Path
) -> None:
    _, settings = keys
    one = sheet()
    with zipfile.ZipFile(io.BytesIO(apple.make(one, settings))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    signed = json.loads(files["manifest.json"])
    assert signed == {
        name: hashlib.sha1(body).hexdigest()  # noqa: S324
        for name, body in files.items()
        if name not in ("manifest.json", "signature")
    }
    told = json.loads(files["pass.json"])
    assert told["barcodes"][0]["message"] == one.code
    assert (told["passTypeIdentifier"], told["teamIdentifier"], told["voided"]) == (
        "pass.example.tickets",
        "TEAM123456",
        False,
    )
    assert Image.open(io.BytesIO(files["icon@2x.png"])).size == (58, 58)
    for name in ("manifest.json", "signature"):
        (tmp_path / name).write_bytes(files[name])
    (tmp_path / "ca.pem").write_text(settings.apple_intermediate or "")
    openssl = shutil.which("openssl")
    assert openssl
    ask = [openssl, "smime", "-verify", "-inform", "DER", "-in", "signature"]
    ask += ["-content", "manifest.json", "-CAfile", "ca.pem", "-purpose", "any"]
    good = subprocess.run(ask, cwd=tmp_path, capture_output=True, check=False)
    assert good.returncode == 0, good.stderr
    (tmp_path / "manifest.json").write_bytes(files["manifest.json"].replace(b"a", b"b"))
    bad = subprocess.run(ask, cwd=tmp_path, capture_output=True, check=False)
    assert bad.returncode != 0


def test_a_link_for_google_is_signed_and_says_what_is_saved(
    keys: tuple[rsa.RSAPrivateKey, ConferenceSettings],
) -> None:
    own, settings = keys
    one = sheet()
    made = google.link(one, settings, NOW)
    assert made.startswith("https://pay.google.com/gp/v/save/")
    head, body, signature = made.rsplit("/", 1)[1].split(".")
    own.public_key().verify(decoded(signature), f"{head}.{body}".encode(), PKCS1v15(), SHA256())
    assert json.loads(decoded(head)) == {"alg": "RS256", "typ": "JWT"}
    told = json.loads(decoded(body))
    assert (told["iss"], told["aud"], told["typ"]) == (
        settings.google_account,
        "google",
        "savetowallet",
    )
    (kind,), (ticket,) = (
        told["payload"][name] for name in ("eventTicketClasses", "eventTicketObjects")
    )
    assert ticket["classId"] == kind["id"]
    assert ticket["barcode"]["value"] == one.code
    assert ticket["ticketHolderName"] == "Łucja Żółkiewska"


def test_google_is_told_every_name_and_shows_the_readers(
    keys: tuple[rsa.RSAPrivateKey, ConferenceSettings],
) -> None:
    _, settings = keys
    plain = google.class_of(sheet(), settings)
    assert "localizedIssuerName" not in plain
    one = sheet(
        event=replace(EVENT, names={"en": "Autumn Days"}),
        session=replace(SESSION, names={"it": "Treno di notte", "en": "Night train"}),
        category_names={"en": "Stalls"},
    )
    kind, ticket = google.class_of(one, settings), google.object_of(one, settings)
    assert kind["localizedIssuerName"] == {
        "defaultValue": {"language": "pl", "value": EVENT.name},
        "translatedValues": [{"language": "en", "value": "Autumn Days"}],
    }
    assert kind["eventName"] == {
        "defaultValue": {"language": "pl", "value": SESSION.name},
        "translatedValues": [
            {"language": "en", "value": "Night train"},
            {"language": "it", "value": "Treno di notte"},
        ],
    }
    assert ticket["ticketType"]["translatedValues"][0]["value"] == "Stalls"  # type: ignore[index]


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_half_a_wallet_is_none_and_keys_that_are_none_are_named(
    keys: tuple[rsa.RSAPrivateKey, ConferenceSettings],
) -> None:
    _, settings = keys
    assert apple.is_set_up(settings)
    assert google.is_set_up(settings)
    assert not apple.is_set_up(replace(settings, apple_key=None))
    assert not google.is_set_up(ConferenceSettings())
    assert not apple.is_set_up(None)
    with pytest.raises(NotConfigured, match="Apple"):
        apple.make(sheet(), replace(settings, apple_key="nonsense"))
    with pytest.raises(NotConfigured, match="Google"):
        google.link(sheet(), replace(settings, google_key="nonsense"), NOW)
