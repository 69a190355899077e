"""Sends notices over the channels of plugins: claimed in a transaction, sent outside any.

A notifier that raises, hangs or answers nonsense makes its own notices come again later, and
nothing else: each channel is a task of its own on its plugin's queue.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, Final, TypeAlias

import msgspec

from marketplace import api
from marketplace.containment.proxies import ProcessNotifier
from marketplace.contract.judging import well_formed
from marketplace.fulfilment.asking import within
from marketplace.fulfilment.home import Home
from marketplace.letters import shown
from marketplace.notices import channels, deliveries
from marketplace.notices.addresses import (
    CONFIRM,
    ConfirmAddress,
    confirm_token,
    public_origin,
)
from marketplace.notices.compose import language_of
from marketplace.notices.deliveries import Carried, Fate
from marketplace.notices.sending import retry_after
from marketplace.notices.titles import titled_mails
from marketplace.notices.words import words_of
from marketplace.plugins import slug_of
from marketplace.web.i18n import speak, spoken

log = logging.getLogger(__name__)

BATCH: Final = 50
MARGIN: Final = timedelta(minutes=1)
LONGEST_ERROR: Final = 500
ANSWERS: Final = (api.Sent, api.Rejected, api.Retry)
MOST_WAIT_S: Final = 4 * 3600

Sends: TypeAlias = api.Notifier | ProcessNotifier
"""A notifier of this process, or of its plugin's own."""


class Carrier:
    """Sends what is due. One at a time per channel in a process; any number of processes."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._origin = public_origin(home.settings)
        self._busy = {channel: threading.Lock() for channel in home.runtime.carriers}

    def send_due(self, channel: str) -> int:
        """Send until nothing is due or the channel is in trouble; returns how many were sent."""
        notifier = self._home.runtime.carriers.get(channel)
        if notifier is None:
            log.warning("there is no channel %s in this worker", channel)
            return 0
        if not self._busy[channel].acquire(blocking=False):
            return 0
        try:
            return self._send_all(notifier)
        finally:
            self._busy[channel].release()

    def _send_all(self, notifier: Sends) -> int:
        channel, home = notifier.channel, self._home
        lease = timedelta(seconds=home.settings.supplier_timeout_s) + MARGIN
        if slug_of(channel) in home.transact(channels.resting):
            return 0  # they wait, or are dropped once it is too late for them
        home.transact(lambda s: deliveries.drop_useless(s, channel))
        total = 0
        while not home.stopping.is_set():
            carried = home.transact(
                lambda s: deliveries.claim(s, channel, limit=BATCH, lease=lease)
            )
            if not carried:
                break
            fates, fault = self._send(notifier, carried)
            home.transact(lambda s, fates=fates: deliveries.write(s, channel, fates))  # type: ignore[misc]
            total += sum(fate == Fate() for _, fate in fates)
            if fault:
                log.warning("notifier %s: %s", channel, fault)
                break
        return total

    def _send(
        self, notifier: Sends, carried: Sequence[Carried]
    ) -> tuple[list[tuple[Carried, Fate]], str]:
        """What became of each, and what the notifier did wrong (empty: nothing)."""
        notices, fates = self._notices(notifier.channel, carried)
        by_reference = {each.reference: each for each in carried}
        if not notices:
            return fates, ""
        try:
            answers = self._answers(notifier, notices)
        except BaseException as error:  # a plugin may even raise SystemExit
            if isinstance(error, KeyboardInterrupt):
                raise
            answers, fault = [], f"send: {type(error).__name__}: {error}"
        else:
            fault = ""
        found, wrong = judge(notices, answers)
        fault = fault or wrong
        for notice in notices:
            each = by_reference[notice.reference]
            fates.append((each, _fate(found.get(notice.reference), each.mail.attempt, fault)))
        return fates, fault

    def _answers(self, notifier: Sends, notices: Sequence[api.Notice]) -> list[Any]:
        timeout_s, stopping = self._home.settings.supplier_timeout_s, self._home.stopping
        if isinstance(notifier, ProcessNotifier):
            return notifier.ask(notices, timeout_s, stopping)
        send, most = notifier.send, 2 * len(notices) + 1
        return within(lambda: list(islice(send(notices), most)), timeout_s, stopping)

    def _notices(
        self, channel: str, carried: Sequence[Carried]
    ) -> tuple[list[api.Notice], list[tuple[Carried, Fate]]]:
        """The notices in words; one that cannot be said waits, and keeps no other waiting."""
        mails = self._home.run(
            titled_mails([each.mail for each in carried], self._home.runtime.faces)
        )
        made: list[api.Notice] = []
        failed: list[tuple[Carried, Fate]] = []
        for each, mail in zip(carried, mails, strict=True):
            try:
                made.append(self._notice(channel, msgspec.structs.replace(each, mail=mail)))
            except Exception as error:
                log.exception("notice %s cannot be said", each.reference)
                again = retry_after(mail.attempt)
                why = shown(f"it cannot be made: {error}", LONGEST_ERROR)
                failed.append((each, Fate(why, again)))
        return made, failed

    def _notice(self, channel: str, carried: Carried) -> api.Notice:
        mail = carried.mail
        language = language_of(mail)
        with speak(language, mail.created_at):
            say = spoken().gettext
            if carried.asks:
                confirm = ConfirmAddress(mail.person_id, channel, mail.email)
                path = CONFIRM + confirm_token(self._home.runtime.vault, confirm)
                subject = say("Is this you?")
                text = say(
                    "Somebody wants to hear from Coalition Rewards at this address. If it was "
                    "you, open the link and confirm it; if not, do nothing."
                )
                action = say("Confirm this address")
            else:
                told = mail.notices[0]
                words = words_of(told.kind, told.context, told.created_at)
                subject, text, path, action = words.subject, words.text, words.path, words.action
        return api.Notice(
            reference=carried.reference,
            address=mail.email,
            language=language.code,
            subject=subject,
            text=text,
            link=self._origin + path,
            action=action,
        )


def judge(
    notices: Sequence[api.Notice], answers: Iterable[Any]
) -> tuple[dict[str, api.NoticeOutcome], str]:
    """Well-formed answers by reference, and what was wrong with the rest (empty: nothing)."""
    found, wrong = well_formed([each.reference for each in notices], answers, ANSWERS)
    return found, wrong[0] if wrong else ""


def _fate(outcome: api.NoticeOutcome | None, attempt: int, fault: str) -> Fate:
    if isinstance(outcome, api.Sent):
        return Fate()
    if isinstance(outcome, api.Rejected):
        return Fate(shown(outcome.reason, LONGEST_ERROR) or "refused")
    again = retry_after(attempt)
    if outcome is None:
        return Fate(shown(fault or "no answer", LONGEST_ERROR), again)
    asked = timedelta(seconds=min(max(outcome.after_s, 1), MOST_WAIT_S))
    return Fate(shown(outcome.reason, LONGEST_ERROR), max(asked, again))
