"""A ticket for Google Wallet: a link whose signed token (JWT, RS256) says what is to be saved.

Format: https://developers.google.com/wallet/tickets/events. Nothing is sent there by us. Pure.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from marketplace.api import NotConfigured
from marketplace_conference.settings import ConferenceSettings, pem
from marketplace_conference.tickets.domain import Sheet

SAVE: Final = "https://pay.google.com/gp/v/save/"


def is_set_up(settings: ConferenceSettings | None) -> bool:
    """Whether links can be made."""
    return settings is not None and all(
        (settings.google_issuer, settings.google_account, settings.google_key)
    )


def link(sheet: Sheet, settings: ConferenceSettings, now: datetime) -> str:
    """The address that saves a ticket. NotConfigured where the key is none."""
    told = {
        "iss": settings.google_account,
        "aud": "google",
        "typ": "savetowallet",
        "iat": int(now.timestamp()),
        "payload": _payload(sheet, settings),
    }
    body = _part({"alg": "RS256", "typ": "JWT"}) + b"." + _part(told)
    try:
        key = load_pem_private_key(pem(settings.google_key or ""), None)
    except (ValueError, TypeError) as error:
        raise NotConfigured(f"The key for Google Wallet cannot be read: {error}") from None
    if not isinstance(key, RSAPrivateKey):
        raise NotConfigured("The key for Google Wallet is no RSA key.")
    signature = _plain(key.sign(body, PKCS1v15(), SHA256()))
    return SAVE + (body + b"." + signature).decode()


def _payload(sheet: Sheet, settings: ConferenceSettings) -> dict[str, object]:
    ticket, event, session = sheet.ticket, sheet.event, sheet.session
    kind = f"{settings.google_issuer}.session-{session.id}"
    made: dict[str, object] = {
        "id": f"{settings.google_issuer}.ticket-{ticket.order_reference}-{ticket.position}",
        "classId": kind,
        "state": "INACTIVE" if sheet.is_cancelled else "ACTIVE",
        "ticketNumber": ticket.locator,
        "ticketType": _said(ticket.category, event.language),
        "barcode": {"type": "QR_CODE", "value": sheet.code, "alternateText": ticket.locator},
    }
    if ticket.attendee_name:
        made["ticketHolderName"] = ticket.attendee_name
    if ticket.seat_label:
        made["seatInfo"] = {"seat": _said(ticket.seat_label, event.language)}
    address = ", ".join(filter(None, (session.room, event.address))) or event.venue
    return {
        "eventTicketClasses": [
            {
                "id": kind,
                "issuerName": event.name,
                "eventName": _said(session.name, event.language),
                "reviewStatus": "UNDER_REVIEW",
                "venue": {
                    "name": _said(event.venue, event.language),
                    "address": _said(address, event.language),
                },
                "dateTime": {
                    "start": session.starts_at.isoformat(),
                    "end": session.ends_at.isoformat(),
                },
            }
        ],
        "eventTicketObjects": [made],
    }


def _said(words: str, language: str) -> dict[str, object]:
    return {"defaultValue": {"language": language, "value": words}}


def _part(told: object) -> bytes:
    return _plain(msgspec.json.encode(told))


def _plain(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
