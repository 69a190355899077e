"""What workers do for webhooks, as Celery tasks on the queue of the core. Each may run twice."""

from __future__ import annotations

from celery import Celery

from marketplace.fulfilment.home import Home
from marketplace.webhooks import queue
from marketplace.webhooks.delivery import Deliverer


class WebhookWork:
    """The tasks' bodies, bound to the process they run in."""

    def __init__(self, home: Home) -> None:
        self.home = home
        runtime = home.runtime
        self.deliverer = Deliverer(home.transact, runtime.outbound, runtime.vault, home.stopping)

    def deliver_webhooks(self) -> int:
        """Deliver what is due; returns how many calls were made."""
        return self.deliverer.deliver_due()

    def forget_webhooks(self) -> None:
        """Delete messages that are so old that nobody replays them."""
        self.home.transact(queue.forget)


def register(app: Celery, work: WebhookWork) -> None:
    """Make the bodies of `work` tasks of this app."""
    for body in (work.deliver_webhooks, work.forget_webhooks):
        app.task(body, name=f"marketplace.{body.__name__}", shared=False)
