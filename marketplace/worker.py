"""The Celery app and the processes around it: worker, beat, and both in one for embedded mode.

Queues: `core` for the exchange's own periodic work, `fulfil.<plugin>` for each supplier's orders
and tasks. Results are ignored, messages carry ids, and a lost message is sent again by the relay.

A worker process holds several Celery workers, each with a connection and a thread of its own that
works on one message at a time: `worker_threads` for our own queues, `plugin_calls` for the queue of
each plugin. So a plugin that hangs keeps its own threads and nobody else's, and what it does not
get to stays with the broker for other workers.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from celery import Celery, signals
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from celery.worker import state
from celery.worker.worker import WorkController
from kombu.entity import Exchange, Queue

from marketplace import heap, open_files
from marketplace.errors import UsageError
from marketplace.fulfilment.consuming import HardyConsumer
from marketplace.fulfilment.domain import stale_s
from marketplace.fulfilment.home import Home, open_home
from marketplace.fulfilment.relay import Publish, Relay, run_relay
from marketplace.fulfilment.schedule import Entry, Send, entries, run_schedule
from marketplace.fulfilment.sending import SEND_S, GiveUp
from marketplace.fulfilment.tasks import Work, register
from marketplace.issuing import tasks as issuing
from marketplace.notices import tasks as notices
from marketplace.registry.activation import sync
from marketplace.settings import Settings
from marketplace.tied import say_on, say_started
from marketplace.webhooks import tasks as webhooks

log = logging.getLogger(__name__)

CORE_QUEUE = "core"
IN_MEMORY = "memory://localhost/"
LOOK_S = 1.0
"""How often it is looked whether every thread of the worker lives."""
POLL_S = 0.02
"""How often each of the workers looks into an empty queue in memory."""
CONFIRM_S = SEND_S * 2 / 3
"""How long the broker may take to confirm a message; then there is one try on a new connection."""
AMQP = ("amqp://", "amqps://", "pyamqp://")
REDIS = ("redis://", "rediss://")
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
        # One message in work, none in waiting: another worker may be free.
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A broker that is full, or only reads, is waited for as one that is away.
        broker_channel_error_retry=True,
        broker_transport_options=_transport_options(broker_url, amqp),
    )
    return app


def _transport_options(broker_url: str, amqp: bool) -> dict[str, Any]:
    if amqp:
        return {"confirm_publish": True}
    if broker_url.startswith(REDIS):
        return {"socket_timeout": CONFIRM_S}
    return {"polling_interval": POLL_S} if broker_url == IN_MEMORY else {}


def declare_queues(app: Celery) -> None:
    """Make exchange and queues, before threads publish.

    The in-memory broker forgets bindings where two threads declare one exchange at the same time.
    """
    with app.connection_for_write() as connection:
        for queue in app.amqp.queues.values():
            queue(connection.default_channel).declare()


def publisher(app: Celery, expiration_s: float) -> Publish:
    """Sends a plugin's burns to its queue; after `expiration_s` the relay sends them again."""

    def publish(plugin: str, pairs: Sequence[tuple[str, str]], probe: bool) -> None:
        app.send_task(
            "marketplace.fulfil",
            args=(plugin, list(pairs), probe),
            queue=queue_of(plugin),
            expiration=expiration_s,
            confirm_timeout=CONFIRM_S,
        )

    return publish


def sender(app: Celery) -> Send:
    """Sends periodic work; what waits for a whole period is dropped by the broker."""

    def send(entry: Entry) -> None:
        app.send_task(
            entry.task,
            args=entry.args,
            queue=entry.queue,
            expiration=entry.every_s,
            confirm_timeout=CONFIRM_S,
        )

    return send


def hanging_up(app: Celery) -> GiveUp:
    """Closes the connections this app publishes on, those in use too: who waits there goes on."""

    def give_up() -> None:
        app.pool.force_close_all(close_pool=False)

    return give_up


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
    open_files.allow_many()
    broker_url = broker_of(settings)
    with open_home(settings) as home:
        home.transact(lambda session: sync(session, home.runtime.plugins))
        _work(broker_url, home, lanes(home, queues, concurrency))


def run_beat(settings: Settings) -> None:
    """Relay what is due and keep the schedule until SIGTERM."""
    open_files.allow_many()
    broker_url = broker_of(settings)
    with open_home(settings) as home:
        app = make_app(broker_url, home.runtime.plugins.slugs)
        home.stop_on_signal()
        heap.freeze()
        serve_beat(app, home)
        home.stopping.wait()


def run_background(settings: Settings) -> None:
    """Relay, schedule and worker in this one process; the broker is its memory."""
    open_files.allow_many()
    with open_home(settings) as home:
        broker_url = settings.broker_url or IN_MEMORY
        app = make_app(broker_url, home.runtime.plugins.slugs)
        declare_queues(app)
        home.transact(lambda session: sync(session, home.runtime.plugins))
        serve_beat(app, home)
        say_started()
        home.serve(say_on(home.stopping.is_set), "say on")
        _work(broker_url, home, lanes(home))


def serve_beat(app: Celery, home: Home) -> None:
    """Run relay and schedule on the loop of `home`."""
    settings, runtime = home.settings, home.runtime
    publish = publisher(app, stale_s(settings.supplier_timeout_s))
    give_up = hanging_up(app)
    relay = Relay(runtime, publish, fill_s=settings.relay_fill_s, give_up=give_up)
    home.serve(run_relay(relay, settings.relay_idle_s, home.stopping), "relay")
    work = entries(runtime, queue_of)
    keeping = run_schedule(runtime.database, work, sender(app), home.stopping, give_up)
    home.serve(keeping, "schedule")


class Lane(msgspec.Struct, frozen=True):
    """Queues that share threads, and how many."""

    queues: list[str]
    threads: int


def lanes(home: Home, queues: Sequence[str] = (), concurrency: int | None = None) -> list[Lane]:
    """A lane for our own queues and one for each plugin that has a process of its own.

    `queues` narrows them, UsageError where there is no such queue; `concurrency` is then the
    threads of each.
    """
    plugins, settings = home.runtime.plugins, home.settings
    contained = [queue_of(slug) for slug in plugins.slugs if slug in plugins.contained]
    ours = [
        CORE_QUEUE,
        *(queue_of(slug) for slug in plugins.slugs if slug not in plugins.contained),
    ]
    unknown = sorted(set(queues) - {*ours, *contained})
    if unknown:
        raise UsageError(
            f"There is no queue {', '.join(unknown)}; there are {', '.join([*ours, *contained])}."
        )
    wanted = [name for name in ours if not queues or name in queues]
    found = [Lane(wanted, concurrency or settings.worker_threads)] if wanted else []
    return found + [
        Lane([name], concurrency or settings.plugin_calls)
        for name in contained
        if not queues or name in queues
    ]


def _work(broker_url: str, home: Home, found: Sequence[Lane]) -> None:
    """Work on these lanes until the process is told to stop."""
    _quieten_celery()
    home.serve_tally()
    home.stop_on_signal()
    state.should_stop = state.should_terminate = None
    heap.freeze()
    workers = [worker for lane in found for worker in _workers(broker_url, home, lane)]
    threads = [
        threading.Thread(target=worker.start, name="worker", daemon=True) for worker in workers
    ]
    for each in threads:
        each.start()
    threading.Thread(target=_warm, args=(home, found), name="warm", daemon=True).start()
    failed = False
    while not home.stopping.wait(LOOK_S):
        if not all(each.is_alive() for each in threads):
            log.error("a thread of this worker ended; the process ends, to be started anew")
            failed = True
            home.stopping.set()
    state.should_stop = 0
    for each in threads:
        each.join()
    if failed:
        sys.exit(1)


def _warm(home: Home, found: Sequence[Lane]) -> None:
    """Start a process of each plugin that delivers here, one after the other."""
    here = {name for lane in found for name in lane.queues}
    for slug, finding in home.runtime.plugins.contained.items():
        if finding.supplier and queue_of(slug) in here and not home.stopping.is_set():
            home.runtime.keeper.pool(slug).warm()


def _workers(broker_url: str, home: Home, lane: Lane) -> list[WorkController]:
    """A Celery worker for each thread of a lane; it runs tasks in the thread it is started in."""
    # Which queues are consumed from is said once per app.
    app = make_app(broker_url, home.runtime.plugins.slugs)
    register(app, Work(home))
    notices.register(app, notices.NoticeWork(home))
    webhooks.register(app, webhooks.WebhookWork(home))
    issuing.register(app, issuing.IssuingWork(home))
    app.set_default()  # where Celery looks a task up by its name; each of our apps has them all
    return [controller(app, lane.queues) for _ in range(lane.threads)]


def controller(app: Celery, queues: Sequence[str]) -> WorkController:
    """A Celery worker on these queues of an app; a message that is not fit to be read ends it not.

    All those of one app have the same queues.
    """
    return WorkController(
        app=app,
        pool="solo",
        concurrency=1,
        queues=list(queues),
        use_eventloop=False,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
        consumer_cls=HardyConsumer,
    )


def _quieten_celery() -> None:
    def keep_our_logging(**_: Any) -> None:
        """Celery configures logging only where nobody listens to this signal."""

    signals.setup_logging.connect(keep_our_logging, weak=False)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # We send nothing with an ETA, so that our exchange cannot delay it does not matter.
    logging.getLogger("kombu.transport.native_delayed_delivery").setLevel(logging.ERROR)
    for category in IRRELEVANT:
        warnings.simplefilter("ignore", category)
