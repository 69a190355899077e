"""Ports of servers that a test or the demonstration starts are not taken from under them."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from bench import server
from marketplace.demo import processes
from marketplace.demo.processes import free_port

HOME = "127.0.0.1"


def test_a_port_is_none_that_outgoing_connections_get() -> None:
    """A bench's too."""
    with socket.create_server((HOME, 0)) as listener:
        given = listener.getsockname()[1]
    assert given not in processes.QUIET_PORTS
    assert free_port(HOME) in processes.QUIET_PORTS
    assert server.free_port() in processes.QUIET_PORTS


def test_a_port_that_somebody_has_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        free = free_port(HOME)
        taken = free_port(HOME)
        while taken == free:
            taken = free_port(HOME)
        stack.enter_context(socket.create_server((HOME, taken)))
        monkeypatch.setattr(processes, "QUIET_PORTS", [taken, free])
        assert {free_port(HOME) for _ in range(20)} == {free}


def test_a_host_that_is_not_here_is_told() -> None:
    with pytest.raises(OSError, match=r"address|Address"):
        free_port("192.0.2.1")
