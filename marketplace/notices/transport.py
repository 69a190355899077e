"""How a mail leaves: by SMTP, or as a file in a folder. Synchronous; runs in a worker's thread."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from email import policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from marketplace.errors import UsageError
from marketplace.settings import Settings

TIMEOUT_S: Final = 10.0
LONGEST_REPLY: Final = 300
PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
SERVICE_CLOSES: Final = 421


class Refused(Exception):
    """The server will never take this mail for this recipient."""


class Deferred(Exception):
    """The server does not take this mail now."""


class Doubtful(Exception):
    """The connection broke while the server had the whole mail: it may have taken it."""


class Away(Exception):
    """No mail can be sent at all: no connection, no TLS, no log-in, no permission to send."""


class Line(Protocol):
    """An open way out."""

    def send(self, message: EmailMessage) -> None:
        """Hand a mail over, from and to whom it names. Raises Refused, Deferred, Doubtful, Away."""
        ...


class Transport(Protocol):
    """A way out for mails."""

    def open(self) -> AbstractContextManager[Line]:
        """A line for several mails; raises Away."""
        ...


class SmtpServer(msgspec.Struct, frozen=True):
    """A mail server and how it is spoken to, as MARKETPLACE_SMTP_URL says."""

    host: str
    port: int
    tls: str
    """`smtp` (none), `smtp+starttls` (must upgrade) or `smtps` (from the first byte)."""
    user: str | None
    password: str | None
    timeout_s: float

    @contextmanager
    def open(self) -> Iterator[Line]:
        """Connect, secure and log in; quit at the end."""
        try:
            smtp = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            raise Away(_words(error)) from error
        try:
            yield _SmtpLine(smtp)
        finally:
            with suppress(OSError, smtplib.SMTPException):
                smtp.quit()
            smtp.close()

    def _connect(self) -> smtplib.SMTP:
        smtp: smtplib.SMTP
        if self.tls == "smtps":
            context = ssl.create_default_context()
            smtp = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout_s, context=context)
        else:
            smtp = smtplib.SMTP(self.host, self.port, timeout=self.timeout_s)
        try:
            if self.tls == "smtp+starttls":
                smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo_or_helo_if_needed()
            if self.user is not None:
                smtp.login(self.user, self.password or "")
        except BaseException:
            smtp.close()
            raise
        return smtp


class _SmtpLine:
    def __init__(self, smtp: smtplib.SMTP) -> None:
        self._smtp = smtp

    def send(self, message: EmailMessage) -> None:
        """See `Line.send`."""
        body = message.as_bytes(policy=policy.SMTP)
        try:
            # What the server thinks of our sender says nothing about the recipient.
            _demand(self._smtp.mail(_address(message, "From")), permanent=Away)
            self._step(self._smtp.rcpt(_address(message, "To")))
        except smtplib.SMTPServerDisconnected as error:
            raise Away(_words(error)) from error
        try:
            self._step(self._smtp.data(body))
        except smtplib.SMTPDataError as error:
            self._step((error.smtp_code, error.smtp_error))
        except smtplib.SMTPServerDisconnected as error:
            raise Doubtful(_words(error)) from error

    def _step(self, reply: tuple[int, bytes | str]) -> None:
        """Raise unless the reply is good; the line stays fit for the next mail."""
        try:
            _demand(reply, permanent=Refused)
        except (Refused, Deferred):
            with suppress(smtplib.SMTPServerDisconnected):
                self._smtp.rset()
            raise


def _address(message: EmailMessage, header: str) -> str:
    return str(message[header].addresses[0].addr_spec)


def _demand(reply: tuple[int, bytes | str], *, permanent: type[Exception]) -> None:
    code, text = reply
    if 200 <= code < 300:
        return
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    words = f"{code} {said}"[:LONGEST_REPLY]
    if code == SERVICE_CLOSES or permanent is Away:
        raise Away(words)
    raise Deferred(words) if code < 500 else permanent(words)


class Folder(msgspec.Struct, frozen=True):
    """Mails become files that a mail program opens: for demonstrations."""

    path: Path

    @contextmanager
    def open(self) -> Iterator[Line]:
        """Make the folder."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Away(_words(error)) from error
        yield self

    def send(self, message: EmailMessage) -> None:
        """Write the file, named after the Message-ID: once more is the same file."""
        name = str(message["Message-ID"]).strip("<>").partition("@")[0]
        target = self.path / f"{name}.eml"
        draft = target.with_suffix(f".{os.getpid()}")
        try:
            draft.write_bytes(message.as_bytes(policy=policy.default))
            draft.replace(target)
        except OSError as error:
            raise Away(_words(error)) from error


def _words(error: Exception) -> str:
    said = str(error) or type(error).__name__
    return said.replace("\n", " ")[:LONGEST_REPLY]


def transport_of(settings: Settings) -> Transport | None:
    """The way out of these settings, None where there is none; UsageError where it is unclear."""
    if settings.smtp_url:
        return parse_smtp_url(settings.smtp_url)
    return Folder(settings.mail_dir) if settings.mail_dir else None


def parse_smtp_url(text: str) -> SmtpServer:
    """The server of a URL such as `smtp+starttls://user:password@mail.example:587?timeout_s=10`.

    UsageError, which never repeats the URL, where it is none or would show a password to the wire.
    """
    parts = urlsplit(text)
    if parts.scheme not in PORTS:
        raise UsageError("MARKETPLACE_SMTP_URL begins smtp://, smtp+starttls:// or smtps://.")
    try:
        port = parts.port or PORTS[parts.scheme]
        options = parse_qs(parts.query, strict_parsing=bool(parts.query))
        timeout_s = float(options.pop("timeout_s", [str(TIMEOUT_S)])[-1])
    except ValueError:
        raise UsageError(
            "MARKETPLACE_SMTP_URL has a port or timeout_s that is no number."
        ) from None
    if not parts.hostname or options or parts.path.strip("/") or timeout_s <= 0:
        raise UsageError("MARKETPLACE_SMTP_URL is no smtp://user:password@host:port?timeout_s=10.")
    server = SmtpServer(
        host=parts.hostname,
        port=port,
        tls=parts.scheme,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        timeout_s=timeout_s,
    )
    if server.user is not None and server.tls == "smtp" and not _is_here(server.host):
        raise UsageError(
            "MARKETPLACE_SMTP_URL would send its password in clear: use smtp+starttls:// or smtps://."
        )
    return server


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
