"""Makes the mail of a notice or digest: plain text and HTML, in the person's language."""

from __future__ import annotations

from collections.abc import Sequence
from email.errors import MessageError
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, parseaddr
from typing import Any, Final
from urllib.parse import urlsplit

from marketplace.errors import UsageError
from marketplace.notices.addresses import (
    UNSUBSCRIBE,
    StopMails,
    public_origin,
    unsubscribe_token,
)
from marketplace.notices.domain import CATEGORIES, CHOOSABLE, DIGEST_KINDS, Category, Claimed, Email
from marketplace.notices.kinds import KINDS, LANGUAGE
from marketplace.notices.languages import languages
from marketplace.notices.words import Words, one_line, words_of
from marketplace.secrets import Vault
from marketplace.settings import Settings
from marketplace.web.i18n import Language, choose_language, speak, spoken
from marketplace.web.templates import core_environment

PREFERENCES: Final = "/me"
MOST_IN_DIGEST: Final = 30


class WholeHeader(UnstructuredHeader, BaseHeader):
    """A header on one line: mail programs do not find an address in one that is cut or encoded."""

    def fold(self, *, policy: Policy) -> str:
        """The header as it is sent."""
        return f"{self.name}: {self}{policy.linesep}"


HEADERS: Final = HeaderRegistry()
for _name in ("message-id", "list-unsubscribe"):
    HEADERS.map_to_type(_name, WholeHeader)
POLICY: Final = SMTP.clone(header_factory=HEADERS)


class UnusableAddress(ValueError):
    """No mail can be sent to what the person has as an address."""


def language_of(mail: Claimed) -> Language:
    """The language a mail is written in."""
    own, *others = mail.locales or (None,)
    read = [each.context.get(LANGUAGE) for each in mail.notices]
    codes = (tag and tag.split("-")[0].lower() for tag in (own, *read, *others))
    return languages()[choose_language(*codes)]


class Composer:
    """Makes mails of one installation. UsageError where its settings make no sense."""

    def __init__(self, settings: Settings, vault: Vault) -> None:
        self._vault = vault
        self.origin = public_origin(settings)
        name, address = parseaddr(settings.mail_from)
        try:
            self._from = Address(name, addr_spec=address)
        except (ValueError, IndexError, MessageError):
            raise UsageError("MARKETPLACE_MAIL_FROM is no `Name <name@host>`.") from None
        self._host = urlsplit(self.origin).hostname or "localhost"

    def message(self, mail: Claimed) -> EmailMessage:
        """The mail, the same whenever it is made; raises UnusableAddress."""
        with speak(language_of(mail), mail.created_at):
            return self._message(mail)

    def _message(self, mail: Claimed) -> EmailMessage:
        stop = self._stop(mail)
        shown = self._shown(mail, stop)
        message = EmailMessage(POLICY)
        message["Subject"] = shown["subject"]
        message["From"] = self._from
        message["To"] = _recipient(mail)
        message["Date"] = format_datetime(mail.created_at)
        # Also after a crash between sending and marking: mail programs show it once.
        message["Message-ID"] = f"<{mail.id:x}.{mail.person_id.hex[-12:]}@{self._host}>"
        message["Auto-Submitted"] = "auto-generated"
        if stop is not None:
            message["List-Unsubscribe"] = f"<{shown['stop_url']}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        name = "digest" if mail.kind in DIGEST_KINDS else "notice"
        environment = core_environment()
        message.set_content(environment.get_template(f"notices/mail/{name}.txt").render(shown))
        message.add_alternative(
            environment.get_template(f"notices/mail/{name}.html").render(shown), subtype="html"
        )
        message["Content-Language"] = language_of(mail).code
        return message

    def _stop(self, mail: Claimed) -> StopMails | None:
        """What the mail's own link ends; None where mails of its kind are no choice."""
        if mail.kind in DIGEST_KINDS:
            return StopMails(mail.person_id, DIGEST_KINDS[mail.kind])
        category = KINDS[mail.kind].category
        return StopMails(mail.person_id, category) if category in CHOOSABLE else None

    def _shown(self, mail: Claimed, stop: StopMails | None) -> dict[str, Any]:
        """What the templates know."""
        shown: dict[str, Any] = {
            "origin": self.origin,
            "locale": language_of(mail).code,
            "name": one_line(mail.name),
            "preferences_url": self.origin + PREFERENCES,
            "stop_url": None,
        }
        if stop is not None:
            shown["stop_url"] = self.origin + UNSUBSCRIBE + unsubscribe_token(self._vault, stop)
            shown["stop_title"] = stop_title(stop.what)
        words = [words_of(each.kind, each.context, each.created_at) for each in mail.notices]
        if mail.kind in DIGEST_KINDS:
            return {**shown, **_digest(mail, words)}
        path = self._vault.decrypt(mail.secret) if mail.secret is not None else words[0].path
        return {**shown, "subject": words[0].subject, "words": words[0], "url": self.origin + path}


def _digest(mail: Claimed, words: Sequence[Words]) -> dict[str, Any]:
    subject = spoken().ngettext(
        "%(count)s new notice from Coalition Rewards",
        "%(count)s new notices from Coalition Rewards",
        len(words),
    )
    told = [
        {"words": each, "at": notice.effective_at}
        for each, notice in zip(words, mail.notices, strict=True)
    ]
    return {
        "subject": subject % {"count": len(words)},
        "told": told[:MOST_IN_DIGEST],
        "more": len(told) - len(told[:MOST_IN_DIGEST]),
        "tip": next((each.tip for each in words if each.tip), None),
    }


def stop_title(what: Category | Email) -> str:
    """What a link to end mails ends, in the language that is spoken."""
    if isinstance(what, Category):
        return spoken().gettext(CATEGORIES[what].title)
    if what is Email.DAILY:
        return spoken().gettext("Daily digest")
    return spoken().gettext("Weekly digest")


def _recipient(mail: Claimed) -> Address:
    if mail.email != one_line(mail.email, len(mail.email)) or " " in mail.email:
        raise UnusableAddress("the address holds characters that none may hold")
    name, _, host = mail.email.rpartition("@")
    try:
        address = f"{name}@{host.encode('idna').decode()}"
        return Address(one_line(mail.name), addr_spec=address)
    except (ValueError, IndexError, MessageError) as error:
        raise UnusableAddress(f"the address is none: {error}") from None
