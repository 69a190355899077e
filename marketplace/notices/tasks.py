"""What workers do for notices, as Celery tasks on the queue of the core. Each may run twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

from celery import Celery

from marketplace.fulfilment.home import Home
from marketplace.notices import digest, expiring, repository
from marketplace.notices.compose import Composer
from marketplace.notices.domain import DIGESTS, Claimed
from marketplace.notices.sending import Sender
from marketplace.notices.titles import titled_mails
from marketplace.notices.transport import transport_of

NOBODY: Final = UUID(int=0)


class NoticeWork:
    """The tasks' bodies, bound to the process they run in. UsageError for settings of no sense."""

    def __init__(self, home: Home) -> None:
        self.home = home
        composer = Composer(home.settings, home.runtime.vault)
        transport = transport_of(home.settings)
        self.sender = Sender(home.transact, composer, transport, home.stopping, self._titled)

    def _titled(self, mails: Sequence[Claimed]) -> Sequence[Claimed]:
        return self.home.run(titled_mails(mails, self.home.runtime.faces))

    def send_mails(self) -> int:
        """Send the mails that are due; returns how many were sent."""
        return self.sender.send_due()

    def make_digests(self) -> int:
        """Queue the digests that are due; returns how many."""
        total = 0
        for email in DIGESTS:
            while not self.home.stopping.is_set():
                now = datetime.now(UTC)
                made = self.home.transact(partial(digest.make_digests, email=email, now=now))
                total += made
                if made < digest.BATCH:
                    break
        return total

    def warn_of_expiry(self) -> int:
        """Tell people what of theirs expires soon; returns how many warnings are new."""
        total, last = 0, NOBODY
        while not self.home.stopping.is_set():
            people = self.home.transact(partial(expiring.next_people, after=last))
            if not people:
                break
            total += self.home.transact(partial(expiring.warn, people=people))
            last = people[-1]
        return total

    def forget_notices(self) -> None:
        """Delete what is so old that nobody looks for it."""
        self.home.transact(repository.forget)


def register(app: Celery, work: NoticeWork) -> None:
    """Make the bodies of `work` tasks of this app."""
    for body in (work.send_mails, work.make_digests, work.warn_of_expiry, work.forget_notices):
        app.task(body, name=f"marketplace.{body.__name__}", shared=False)
