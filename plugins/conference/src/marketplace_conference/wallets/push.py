"""Apple's push service: a phone is told that a pass of ours changed, and nothing more.

The certificate of the passes says who we are; over one HTTP/2 connection, as Apple wishes it.
Format: https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from marketplace.api import Host, Identity, Line
from marketplace_conference.settings import ConferenceSettings, pem

log = logging.getLogger(__name__)

NOTHING: Final = b'{"aps":{}}'
DEAD: Final = {"BadDeviceToken", "DeviceTokenNotForTopic", "Unregistered", "ExpiredToken"}
"""Reasons of Apple's: this phone is never told again."""


class _Reason(msgspec.Struct):
    reason: str = ""


class Push:
    """A connection to the push service."""

    def __init__(self, line: Line, address: str, topic: str) -> None:
        self._line = line
        self._address = address
        self._topic = topic

    @classmethod
    @contextmanager
    def opened(cls, host: Host, settings: ConferenceSettings, address: str) -> Iterator[Push]:
        """Connects at the first call. NotConfigured where the keys are none."""
        who = Identity(
            certificate=pem(settings.apple_certificate or ""), key=pem(settings.apple_key or "")
        )
        with host.outbound.line(address, http2=True, identity=who) as line:
            yield cls(line, address, settings.apple_pass_type or "")

    def tell(self, push_token: str) -> str:
        """`done`, `gone` or `later`; raises where no answer came."""
        answer = self._line.call(
            "POST",
            f"{self._address}/3/device/{push_token}",
            body=NOTHING,
            headers={"apns-topic": self._topic},
        )
        if answer.status == 200:
            return "done"
        try:
            reason = msgspec.json.decode(answer.body, type=_Reason).reason
        except (msgspec.DecodeError, msgspec.ValidationError):
            reason = ""
        if answer.status == 410 or reason in DEAD:
            return "gone"
        log.warning("conference: Apple's push service says %d %s", answer.status, ascii(reason))
        return "later"
