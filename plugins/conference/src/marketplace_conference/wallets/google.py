"""A ticket for Google Wallet: a link whose signed token (JWT, RS256) says what is to be saved, and
what Google is told of it later (`updating`).

Format: https://developers.google.com/wallet/tickets/events. Pure.
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
from marketplace_conference.names import Names
from marketplace_conference.settings import ConferenceSettings, pem
from marketplace_conference.tickets.domain import Sheet

SAVE: Final = "https://pay.google.com/gp/v/save/"
SCOPE: Final = "https://www.googleapis.com/auth/wallet_object.issuer"


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
        "payload": {
            "eventTicketClasses": [class_of(sheet, settings)],
            "eventTicketObjects": [object_of(sheet, settings)],
        },
    }
    return SAVE + _signed(told, settings)


def assertion(settings: ConferenceSettings, address: str, now: datetime) -> str:
    """Who we are, for the address that gives tokens; good for ten minutes (RFC 7523)."""
    began = int(now.timestamp())
    told = {
        "iss": settings.google_account,
        "aud": address,
        "scope": SCOPE,
        "iat": began,
        "exp": began + 600,
    }
    return _signed(told, settings)


def _signed(told: object, settings: ConferenceSettings) -> str:
    body = _part({"alg": "RS256", "typ": "JWT"}) + b"." + _part(told)
    try:
        key = load_pem_private_key(pem(settings.google_key or ""), None)
    except (ValueError, TypeError) as error:
        raise NotConfigured(f"The key for Google Wallet cannot be read: {error}") from None
    if not isinstance(key, RSAPrivateKey):
        raise NotConfigured("The key for Google Wallet is no RSA key.")
    return (body + b"." + _plain(key.sign(body, PKCS1v15(), SHA256()))).decode()


def class_id(sheet: Sheet, settings: ConferenceSettings) -> str:
    """Of all tickets of a session."""
    return f"{settings.google_issuer}.session-{sheet.session.id}"


def object_id(sheet: Sheet, settings: ConferenceSettings) -> str:
    """The same for a place for ever."""
    ticket = sheet.ticket
    return f"{settings.google_issuer}.ticket-{ticket.order_reference}-{ticket.position}"


def object_of(sheet: Sheet, settings: ConferenceSettings) -> dict[str, object]:
    """A ticket."""
    ticket, language = sheet.ticket, sheet.event.language
    category = _said(ticket.category, language, ticket.category_names)
    made: dict[str, object] = {
        "id": object_id(sheet, settings),
        "classId": class_id(sheet, settings),
        "state": "INACTIVE" if sheet.is_cancelled else "ACTIVE",
        "ticketNumber": ticket.locator,
        "ticketType": category,
        "barcode": {"type": "QR_CODE", "value": sheet.code, "alternateText": ticket.locator},
    }
    if ticket.attendee_name:
        made["ticketHolderName"] = ticket.attendee_name
    if ticket.seat_label:
        made["seatInfo"] = {"seat": _said(ticket.seat_label, language)}
    return made


def class_of(sheet: Sheet, settings: ConferenceSettings) -> dict[str, object]:
    """A session."""
    event, session = sheet.event, sheet.session
    address = ", ".join(filter(None, (session.room, event.address))) or event.venue
    made: dict[str, object] = {
        "id": class_id(sheet, settings),
        "issuerName": event.name,
        "eventName": _said(session.name, event.language, session.names),
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
    if event.names:
        made["localizedIssuerName"] = _said(event.name, event.language, event.names)
    return made


def _said(words: str, language: str, others: Names | None = None) -> dict[str, object]:
    """In the event's own language, and in others: Google shows the reader's."""
    made: dict[str, object] = {"defaultValue": {"language": language, "value": words}}
    if others:
        made["translatedValues"] = [
            {"language": code, "value": name} for code, name in sorted(others.items())
        ]
    return made


def _part(told: object) -> bytes:
    return _plain(msgspec.json.encode(told))


def _plain(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
