"""A real SMTP server in this process, which can misbehave."""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from marketplace.demo.processes import free_port


class Postbox:
    """Takes mails. `moods` says how the next ones go, by step; then all is good.

    `rcpt 550 ...`, `data 451 ...`: an answer to that step. `mail 550 ...`: to our sender.
    `drop`: takes the mail, then hangs up without a word.
    """

    def __init__(self) -> None:
        self.url = ""
        self.moods: list[str] = []
        self.received: list[EmailMessage] = []
        self.recipients: list[list[str]] = []

    def _mood(self, step: str) -> str | None:
        if self.moods and self.moods[0].split(" ")[0] == step:
            return self.moods.pop(0).partition(" ")[2]
        return None

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self._mood("mail") or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self._mood("rcpt")
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self._mood("data")
        if answer is not None:
            return answer
        content = envelope.original_content or b""
        parsed: Any = message_from_bytes(content, policy=policy.default)
        self.received.append(parsed)
        self.recipients.append(envelope.rcpt_tos)
        if self._mood("drop") is not None:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            await asyncio.sleep(0)
        return "250 OK"

    @property
    def subjects(self) -> list[str]:
        return [str(each["Subject"]) for each in self.received]


def serve(postbox: Postbox, **more: Any) -> Controller:
    """A running server on a port of its own."""
    controller = Controller(postbox, hostname="127.0.0.1", port=free_port("127.0.0.1"), **more)
    controller.start()
    return controller
