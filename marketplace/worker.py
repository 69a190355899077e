"""The Celery app and the processes around it: worker, beat, and both in one for embedded mode.

Queues: `core` for the exchange's own periodic work, `fulfil.<plugin>` for each supplier's orders
and tasks. Results are ignored, messages carry ids, and a lost message is sent again by the relay.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from celery import Celery, signals
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from kombu.entity import Exchange, Queue

from marketplace.errors import UsageError
from marketplace.fulfilment.domain import stale_s
from marketplace.fulfilment.home import Home, open_home
from marketplace.fulfilment.relay import Publish, Relay, run_relay
from marketplace.fulfilment.schedule import Entry, Send, entries, run_schedule
from marketplace.fulfilment.tasks import Work, register
from marketplace.issuing import tasks as issuing
from marketplace.notices import tasks as notices
from marketplace.registry.activation import sync
from marketplace.settings import Settings

CORE_QUEUE = "core"
IN_MEMORY = "memory://localhost/"
AMQP = ("amqp://", "amqps://", "pyamqp://")
CHATTY = ("celery.app.trace", "celery.worker.strategy", "celery.worker.consumer", "kombu")
IRRELEVANT = (
    # JSON only, so root can be sent nothing that runs.
    SecurityWarning,
    # Threads cannot be cancelled; what they do is found out by look-up.
    CPendingDeprecationWarning,
)


def queue_of(plugin: str) -> str:
    """The queue that carries a plugin's orders and periodic tasks."""
    return f"fulfil.{plugin}"


def make_app(broker_url: str, plugins: Iterable[str]) -> Celery:
    """A Celery app on this broker with a queue for the core and one for each plugin."""
    amqp = broker_url.startswith(AMQP)
    arguments = {"x-queue-type": "quorum"} if amqp else None
    exchange_of: Any = Exchange  # kombu states no types
    queue: Any = Queue
    exchange = exchange_of("marketplace", type="direct", durable=True)
    queues = [
        queue(name, exchange, routing_key=name, durable=True, queue_arguments=arguments)
        for name in [CORE_QUEUE, *(queue_of(plugin) for plugin in sorted(plugins))]
    ]
    app = Celery("marketplace", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_queues=queues,
        task_default_queue=CORE_QUEUE,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # In memory, acknowledgements wait for the worker's next look at the queue, up to two
        # seconds: a limit on what is unacknowledged would be a limit on messages per second.
        worker_prefetch_multiplier=0 if broker_url == IN_MEMORY else 1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=_transport_options(broker_url, amqp),
    )
    return app


def _transport_options(broker_url: str, amqp: bool) -> dict[str, Any]:
    if amqp:
        return {"confirm_publish": True}
    return {"polling_interval": 0.01} if broker_url == IN_MEMORY else {}


def declare_queues(app: Celery) -> None:
    """Make exchange and queues, before threads publish.

    The in-memory broker forgets bindings where two threads declare one exchange at the same time.
    """
    with app.connection_for_write() as connection:
        for queue in app.amqp.queues.values():
            queue(connection.default_channel).declare()


def publisher(app: Celery, expiration_s: float) -> Publish:
    """Sends a plugin's burns to its queue; after `expiration_s` the relay sends them again."""

    def publish(plugin: str, pairs: Sequence[tuple[str, str]]) -> None:
        app.send_task(
            "marketplace.fulfil",
            args=(plugin, list(pairs)),
            queue=queue_of(plugin),
            expiration=expiration_s,
        )

    return publish


def sender(app: Celery) -> Send:
    """Sends periodic work; what waits for a whole period is dropped by the broker."""

    def send(entry: Entry) -> None:
        app.send_task(entry.task, args=entry.args, queue=entry.queue, expiration=entry.every_s)

    return send


def broker_of(settings: Settings) -> str:
    """The broker's URL; UsageError where none is set."""
    if settings.broker_url is None:
        raise UsageError(
            "Set MARKETPLACE_BROKER_URL, e.g. amqp://user:password@host//. Without a broker "
            "`marketplace serve` starts `marketplace background`, which needs none."
        )
    return settings.broker_url


def run_worker(
    settings: Settings, *, queues: Sequence[str] = (), concurrency: int | None = None
) -> None:
    """Work on `queues` (all of them where empty) until SIGTERM."""
    broker_url = broker_of(settings)
    with open_home(settings) as home:
        app = make_app(broker_url, home.runtime.plugins.slugs)
        home.transact(lambda session: sync(session, home.runtime.plugins))
        _work(app, home, queues, concurrency or settings.worker_threads)


def run_beat(settings: Settings) -> None:
    """Relay what is due and keep the schedule until SIGTERM."""
    broker_url = broker_of(settings)
    with open_home(settings) as home:
        app = make_app(broker_url, home.runtime.plugins.slugs)
        home.stop_on_signal()
        serve_beat(app, home)
        home.stopping.wait()


def run_background(settings: Settings) -> None:
    """Relay, schedule and worker in this one process; the broker is its memory."""
    with open_home(settings) as home:
        app = make_app(settings.broker_url or IN_MEMORY, home.runtime.plugins.slugs)
        declare_queues(app)
        home.transact(lambda session: sync(session, home.runtime.plugins))
        serve_beat(app, home)
        _work(app, home, (), settings.worker_threads)


def serve_beat(app: Celery, home: Home) -> None:
    """Run relay and schedule on the loop of `home`."""
    settings, runtime = home.settings, home.runtime
    relay = Relay(runtime, publisher(app, stale_s(settings.supplier_timeout_s)))
    home.serve(run_relay(relay, settings.relay_idle_s, home.stopping), "relay")
    work = entries(runtime, queue_of)
    home.serve(run_schedule(runtime.database, work, sender(app), home.stopping), "schedule")


def _work(app: Celery, home: Home, queues: Sequence[str], concurrency: int) -> None:
    register(app, Work(home))
    notices.register(app, notices.NoticeWork(home))
    issuing.register(app, issuing.IssuingWork(home))

    def keep_our_logging(**_: Any) -> None:
        """Celery configures logging only where nobody listens to this signal."""

    def stop(**_: Any) -> None:
        home.stopping.set()

    signals.setup_logging.connect(keep_our_logging, weak=False)
    signals.worker_shutting_down.connect(stop, weak=False)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # We send nothing with an ETA, so that our exchange cannot delay it does not matter.
    logging.getLogger("kombu.transport.native_delayed_delivery").setLevel(logging.ERROR)
    for category in IRRELEVANT:
        warnings.simplefilter("ignore", category)
    worker = app.Worker(
        pool="threads",
        concurrency=concurrency,
        queues=list(queues) or None,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    with suppress(SystemExit):
        worker.start()
