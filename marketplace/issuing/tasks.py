"""What workers do for files of issuances, as Celery tasks on the queue of the core."""

from __future__ import annotations

from celery import Celery

from marketplace.fulfilment.home import Home
from marketplace.issuing.files import forget, work_on_next


class IssuingWork:
    """The tasks' bodies, bound to the process they run in. Each may run twice at once."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def work_on_uploads(self) -> int:
        """Check or write the files that wait, one after the other; returns how many."""
        total = 0
        while not self.home.stopping.is_set() and self.home.run(work_on_next(self.home.runtime)):
            total += 1
        return total

    def forget_uploads(self) -> None:
        """Withdraw checked files that nobody has issued for long."""
        self.home.transact(forget)


def register(app: Celery, work: IssuingWork) -> None:
    """Make the bodies of `work` tasks of this app."""
    for body in (work.work_on_uploads, work.forget_uploads):
        app.task(body, name=f"marketplace.{body.__name__}", shared=False)
