"""Why a door is not served. Each code is in docs/concepts/tickets.md."""

from __future__ import annotations

from marketplace.api import Conflict, MarketplaceError


class DoorKeyRefused(MarketplaceError):
    code = "conference_door_key_refused"
    title = "This device may not admit anybody: its key is unknown or was withdrawn"
    status = 401


class NonceReused(Conflict):
    code = "conference_nonce_reused"
    title = "The nonce belongs to a scan of another ticket"
