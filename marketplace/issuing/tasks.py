"""What workers do for files of issuances, as a Celery task on the queue of the core."""

from __future__ import annotations

from celery import Celery

from marketplace.fulfilment.home import Home
from marketplace.issuing.files import work_on_next


class IssuingWork:
    """The task's body, bound to the process it runs in. It may run twice at once."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def work_on_uploads(self) -> int:
        """Check or write the files that wait, one after the other; returns how many."""
        total = 0
        while not self.home.stopping.is_set() and self.home.run(work_on_next(self.home.runtime)):
            total += 1
        return total


def register(app: Celery, work: IssuingWork) -> None:
    """Make the body of `work` a task of this app."""
    app.task(work.work_on_uploads, name="marketplace.work_on_uploads")
