"""The process of one plugin: loads it, does what the worker asks, one request at a time.

`python -m marketplace.containment.child CHANNEL TIE` with two sockets handed down by the worker.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from typing import Any, NoReturn
from uuid import UUID

import msgspec

from marketplace import heap
from marketplace.containment import limits, messages
from marketplace.containment.messages import (
    Ask,
    AskRail,
    AskRule,
    Closed,
    Describe,
    NextStatement,
    Probe,
    ReadBank,
    Reply,
    Request,
    RunTask,
    SendNotices,
    Tell,
    Terms,
)
from marketplace.contract.judging import LONGEST_WORDS

MOST_REQUEST_BYTES = 64 * 1_048_576


class Plugin:
    """The one plugin of this process and what it registered."""

    def __init__(self, terms: Terms) -> None:
        from marketplace.containment.lent import lent_host
        from marketplace.plugins import load_one

        self.plugins = load_one(terms.slug, lent_host(terms))
        self.supplier = self.plugins.suppliers().get(terms.slug)
        self.tasks = {name: task for (_, name), task in self.plugins.periodic_tasks().items()}
        self.describers = self.plugins.offer_describers().get(terms.slug, [])
        self.rules = self.plugins.eligibility_rules()
        self.notifiers = self.plugins.notifiers()
        self.rail = self.plugins.rails().get(terms.slug)
        self.refusal = self.plugins.disabled.get(terms.slug, "")

    def do(self, request: Request) -> Any:
        """Do what is asked; what comes of it can be encoded."""
        if isinstance(request, Ask):
            assert self.supplier is not None  # noqa: S101 - the worker asks suppliers only
            method = getattr(self.supplier, request.method)
            answers = list(islice(method(request.orders), 2 * len(request.orders) + 1))
            return messages.encode_answers(answers)
        if isinstance(request, SendNotices):
            send, most = self.notifiers[request.channel].send, 2 * len(request.notices) + 1
            return messages.encode_answers(list(islice(send(request.notices), most)))
        if isinstance(request, AskRail | ReadBank | NextStatement):
            from marketplace.containment import rail_calls

            assert self.rail is not None  # noqa: S101 - the house asks rails only
            return rail_calls.answer(self.rail, request)
        if isinstance(request, RunTask):
            self.tasks[request.name].run()
        elif isinstance(request, Tell):
            for each in request.facts:
                fact = msgspec.msgpack.decode(each.fact, type=messages.FACTS[each.hook])
                self.plugins.tell_now(each.hook, fact)
        elif isinstance(request, Describe):
            return self._describe(request)
        elif isinstance(request, AskRule):
            return self.rules[request.name].refusal(request.who, request.offer_reference)
        else:
            assert self.supplier is not None  # noqa: S101 - the worker asks suppliers only
            return self.supplier.health()
        return None

    def _describe(self, request: Describe) -> Mapping[UUID, Any]:
        describer = self.describers[request.number]
        return dict(describer.describe(tuple(request.offer_ids), request.language))


def _probe(terms: Terms, request: Request) -> Any:
    from marketplace.containment.lent import lent_host
    from marketplace.plugins import probe_one

    assert isinstance(request, Probe)  # noqa: S101 - nothing else is asked of such a process
    return probe_one(request.slug, lent_host(terms))


def _raised(error: BaseException) -> Reply:
    words = f"{type(error).__name__}: {error}"[:LONGEST_WORDS]
    # After this it may lack anything: a new process is the safe thing.
    return Reply(raised=words, leave=isinstance(error, MemoryError))


def _serve(channel: socket.socket, do: Callable[[Request], Any], cpu_s: int) -> NoReturn:
    decoder = msgspec.msgpack.Decoder(Request)
    while True:
        request = decoder.decode(messages.receive(channel, MOST_REQUEST_BYTES, None))
        limits.limit_cpu_of_call(max(cpu_s, limits.FILE_CPU_S) if _is_of_files(request) else cpu_s)
        try:
            reply = Reply(msgspec.Raw(msgspec.msgpack.encode(do(request))))
        except BaseException as error:  # SystemExit and KeyboardInterrupt too
            logging.getLogger(__name__).warning("it raised", exc_info=error)
            reply = _raised(error)
        messages.send(channel, reply)
        if reply.leave:
            os._exit(0)


def _is_of_files(request: Request) -> bool:
    if isinstance(request, AskRail):
        return request.method == "files"
    return isinstance(request, ReadBank | NextStatement)


def main() -> None:
    """Load the plugin, say whether that went well, then serve until the worker is gone."""
    faulthandler.enable()
    channel = socket.socket(fileno=int(sys.argv[1]))
    limits.tie_to_parent(int(sys.argv[2]))
    try:
        terms = msgspec.msgpack.decode(
            messages.receive(channel, MOST_REQUEST_BYTES, None), type=Terms
        )
        limits.limit_this_process(terms)
        limits.limit_cpu_of_call(terms.cpu_s)
        logging.basicConfig(level=terms.log_level, format="%(levelname)s %(name)s %(message)s")
        messages.send(channel, Reply())
        if not terms.slug:
            _serve(channel, partial(_probe, terms), terms.cpu_s)
        try:
            plugin = Plugin(terms)
        except BaseException as error:
            messages.send(channel, _raised(error))
            os._exit(0)
        heap.freeze()
        messages.send(channel, Reply(raised=plugin.refusal))
        if not plugin.refusal:
            _serve(channel, plugin.do, terms.cpu_s)
    except Closed:
        pass
    os._exit(0)  # threads that the plugin left behind must not keep us


if __name__ == "__main__":
    main()
