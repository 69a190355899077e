"""A ticket as a pass for Apple Wallet: a zip with a manifest, signed by the operator's certificate.

Format: https://developer.apple.com/documentation/walletpasses. Pure.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import (
    PKCS7Options,
    PKCS7SignatureBuilder,
)
from cryptography.x509 import load_pem_x509_certificate

from marketplace.api import NotConfigured
from marketplace_conference.settings import ConferenceSettings, pem
from marketplace_conference.tickets.domain import Sheet, Ticket

MEDIA_TYPE: Final = "application/vnd.apple.pkpass"
INK: Final = (31, 58, 55)
ICONS: Final = {"icon.png": 29, "icon@2x.png": 58}
"""Side in pixels; a pass without an icon is refused."""
SAY: Final = {"changeMessage": "%@"}
"""A field that changes is shown on the locked phone with its new value."""
EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""Of every file in the zip: the same ticket gives the same manifest."""


def is_set_up(settings: ConferenceSettings | None) -> bool:
    """Whether passes can be made."""
    return settings is not None and all(
        (
            settings.apple_pass_type,
            settings.apple_team,
            settings.apple_certificate,
            settings.apple_key,
            settings.apple_intermediate,
        )
    )


def is_updating(settings: ConferenceSettings | None) -> bool:
    """Whether phones are told when a pass changes."""
    return settings is not None and is_set_up(settings) and bool(settings.apple_updates)


class Updates(msgspec.Struct, frozen=True, kw_only=True):
    """Where a phone asks for a newer pass, and what it shows there."""

    address: str
    token: str


def serial_of(ticket: Ticket) -> str:
    """The same for a place for ever."""
    return f"{ticket.order_reference}-{ticket.position}"


def make(sheet: Sheet, settings: ConferenceSettings, updates: Updates | None = None) -> bytes:
    """The file of a ticket. NotConfigured where keys or certificates are none."""
    told = _pass(sheet, settings)
    if updates is not None:
        told |= {"webServiceURL": updates.address, "authenticationToken": updates.token}
    files = {"pass.json": msgspec.json.encode(told)}
    files |= {name: _square(side) for name, side in ICONS.items()}
    digests = {name: hashlib.sha1(body).hexdigest() for name, body in files.items()}  # noqa: S324 - Apple's choice
    files["manifest.json"] = msgspec.json.encode(digests)
    files["signature"] = _signature(files["manifest.json"], settings)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), body)
    return made.getvalue()


def _pass(sheet: Sheet, settings: ConferenceSettings) -> dict[str, object]:
    ticket, event, session = sheet.ticket, sheet.event, sheet.session
    facts = [("category", ticket.category), ("seat", ticket.seat_label), ("room", session.room)]
    where = ", ".join(filter(None, (event.venue, event.address)))
    return {
        "formatVersion": 1,
        "passTypeIdentifier": settings.apple_pass_type,
        "teamIdentifier": settings.apple_team,
        "serialNumber": serial_of(ticket),
        "organizationName": event.name,
        "description": event.name,
        "relevantDate": session.starts_at.isoformat(),
        "expirationDate": session.ends_at.isoformat(),
        "voided": sheet.is_cancelled,
        "foregroundColor": "rgb(255, 255, 255)",
        "labelColor": "rgb(255, 255, 255)",
        "backgroundColor": "rgb({}, {}, {})".format(*INK),
        "eventTicket": {
            "primaryFields": [{"key": "session", "value": session.name, **SAY}],
            "secondaryFields": [
                {"key": "name", "value": ticket.attendee_name or ticket.locator, **SAY},
                {
                    "key": "begins",
                    "value": session.starts_at.isoformat(),
                    **SAY,
                    "dateStyle": "PKDateStyleMedium",
                    "timeStyle": "PKDateStyleShort",
                },
            ],
            "auxiliaryFields": [
                {"key": key, "value": value, **SAY} for key, value in facts if value
            ],
            "backFields": [
                {"key": "where", "value": where, **SAY},
                {"key": "number", "value": ticket.locator},
            ],
        },
        "barcodes": [
            {
                "format": "PKBarcodeFormatQR",
                "message": sheet.code,
                "messageEncoding": "iso-8859-1",
                "altText": ticket.locator,
            }
        ],
    }


def _signature(manifest: bytes, settings: ConferenceSettings) -> bytes:
    """Detached PKCS#7 over the manifest, with the intermediate certificate beside ours."""
    try:
        key = load_pem_private_key(pem(settings.apple_key or ""), None)
        own = load_pem_x509_certificate(pem(settings.apple_certificate or ""))
        above = load_pem_x509_certificate(pem(settings.apple_intermediate or ""))
    except (ValueError, TypeError) as error:
        raise NotConfigured(f"The keys for Apple Wallet cannot be read: {error}") from None
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise NotConfigured("The key for Apple Wallet is neither RSA nor of an elliptic curve.")
    builder = PKCS7SignatureBuilder().set_data(manifest).add_signer(own, key, SHA256())
    options = [PKCS7Options.DetachedSignature, PKCS7Options.Binary]
    return builder.add_certificate(above).sign(Encoding.DER, options)


def _square(side: int) -> bytes:
    """A PNG of one colour."""
    rows = (b"\x00" + bytes(INK) * side) * side
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
