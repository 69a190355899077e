"""Signatures of HTTP messages, as Standard Webhooks has them: https://www.standardwebhooks.com.

A message is signed with every live key, so that keys can be changed without a moment at which a
message is refused; a receiver takes it if one of the signatures fits one of its keys.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from standardwebhooks.webhooks import Webhook

from marketplace.errors import MarketplaceError

PREFIX: Final = "whsec_"
KEY_BYTES: Final = 32
TOLERANCE_S: Final = 300
"""How far the time of a message may be from ours: an older one may be a recorded one."""

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"


class BadSignature(MarketplaceError):
    code = "bad_signature"
    title = "The message is not signed as agreed"
    status = 401


def new_key() -> str:
    """A new signing key, `whsec_...`."""
    return PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def sign(
    keys: Iterable[str], message_id: str, body: bytes, *, at: datetime | None = None
) -> dict[str, str]:
    """The headers that sign a message with each of `keys`; `at` is now unless said."""
    moment = (at or datetime.now(UTC)).astimezone(UTC)
    text = body.decode()
    return {
        ID: message_id,
        TIMESTAMP: str(int(moment.timestamp())),
        SIGNATURE: " ".join(Webhook(key).sign(message_id, moment, text) for key in keys),
    }


def verify(keys: Iterable[str], headers: Mapping[str, str], body: bytes) -> str:
    """The id of a message that one of `keys` has signed within TOLERANCE_S; else BadSignature.

    Whoever must not act on one message twice remembers its id for as long.
    """
    given = {name.lower(): value for name, value in headers.items()}
    for key in keys:
        try:
            Webhook(key).verify(body, given, json_parse=False)
        # The library lets through whatever a malformed header or body makes it raise.
        except Exception:  # noqa: S112 - the next key may fit; BadSignature says the rest
            continue
        return given[ID]
    raise BadSignature("No signature fits, or its time is more than five minutes from ours.")
