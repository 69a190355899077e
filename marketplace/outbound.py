"""Calls to addresses that somebody typed in: the only way the house or a plugin makes them.

A partner chooses the address, so it may point at our own database, a cloud's metadata service or
a host whose name resolves to another address the second time. Therefore: https only, no network
but the public internet unless the operator allows it, a connection to exactly the address that was
checked, no redirects, no proxies, and a limit on time and on size.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import certifi
import httpcore
import msgspec

from marketplace.addresses import (
    AddressRefused,
    Allowed,
    Target,
    is_public,
    literal_of,
    parse_allowed,
    parse_url,
)
from marketplace.errors import Busy, MarketplaceError, NotConfigured
from marketplace.settings import Settings

log = logging.getLogger(__name__)

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""(host name, port) -> IP addresses; raises OSError where the name is not known."""

TIMEOUT_S: Final = 10.0
ANSWER_LIMIT_BYTES: Final = 65_536
OVERHEAD_BYTES: Final = 65_536
"""What status line, headers and chunk sizes may take besides the body."""
WRITE_BYTES: Final = 65_536
LOWEST_FREE_PORT: Final = 1024
TRIED_ADDRESSES: Final = 4
CHECKED_AT_ONCE: Final = 3
"""Look-ups while somebody waits for a page: a name server that hangs takes no more threads."""
USER_AGENT: Final = "coalition-rewards-marketplace"


class Unreachable(MarketplaceError):
    """No connection: nothing of the request has left us."""

    code = "partner_unreachable"
    title = "The partner's address cannot be reached"
    status = 502


class Unanswered(MarketplaceError):
    """The request may have been received, and no whole answer came."""

    code = "partner_unanswered"
    title = "The partner's address gave no answer that can be read"
    status = 502


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, whatever its status."""

    status: int
    headers: dict[str, str]
    """By lower-case name; the last of several of one name."""
    body: bytes
    truncated: bool
    """The body was longer than the limit, and the rest was not read."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host name, by the system."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are to the other side of a TLS connection."""

    certificate: bytes
    """PEM, with what signed it behind it where that is asked for."""
    key: bytes
    """PEM without a password."""


class Line:
    """A connection to one host that is kept for several calls. For one thread."""

    def __init__(self, target: Target, pool: httpcore.ConnectionPool, backend: _Backend) -> None:
        self._target = target
        self._pool = pool
        self._backend = backend

    @property
    def left_s(self) -> float:
        """Seconds that are left of the time it was opened for."""
        return _left(self._backend.deadline)

    def call(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
        limit_bytes: int = ANSWER_LIMIT_BYTES,
    ) -> Answer:
        """As `Outbound.call`; AddressRefused too where `url` is of another host than the line."""
        target = parse_url(url)
        if target.authority != self._target.authority or target.scheme != self._target.scheme:
            raise AddressRefused(f"This connection leads to {self._target.authority}.")
        self._backend.begin(timeout_s, limit_bytes)
        sent = {
            "Host": target.authority,
            "User-Agent": USER_AGENT,
            "Accept-Encoding": "identity",
            **({"Content-Length": str(len(body))} if body or method != "GET" else {}),
            **(headers or {}),
        }
        address = httpcore.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        try:
            with self._pool.stream(
                method, address, headers=list(sent.items()), content=body
            ) as answer:
                return _read(answer, limit_bytes)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise _failure(error, is_open=self._backend.is_open) from error


class Outbound:
    """Makes guarded calls. Holds no connection; may be used from any thread."""

    def __init__(
        self,
        allowed: Allowed | None = None,
        *,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed or Allowed()
        self._resolve = resolve
        self._tls = tls
        self._checking = threading.BoundedSemaphore(CHECKED_AT_ONCE)

    def check(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Raise AddressRefused where `url` could not be called now; Unreachable: no such host.

        Busy where CHECKED_AT_ONCE others are waited for.
        """
        target = parse_url(url)
        if not self._checking.acquire(blocking=False):
            raise Busy("Other addresses are being looked up just now; try again.")
        try:
            self._addresses(target, time.monotonic() + timeout_s)
        finally:
            self._checking.release()

    def call(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
        limit_bytes: int = ANSWER_LIMIT_BYTES,
    ) -> Answer:
        """Call an address and return the answer, redirects and errors too.

        `timeout_s` is for everything from the look-up of the name to the last byte; the body is cut
        at `limit_bytes`. Raises AddressRefused or Unreachable while nothing was sent, Unanswered
        after that.
        """
        close = {"Connection": "close", **(headers or {})}
        with self.line(url, timeout_s=timeout_s) as line:
            return line.call(
                method,
                url,
                body=body,
                headers=close,
                timeout_s=line.left_s,
                limit_bytes=limit_bytes,
            )

    @contextmanager
    def line(
        self,
        url: str,
        *,
        http2: bool = False,
        identity: Identity | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Iterator[Line]:
        """One connection for several calls to the host of `url`, one after the other.

        `timeout_s` is for the look-up of its name, which is made once. Raises AddressRefused,
        Unreachable; NotConfigured where the identity's certificate and key are none.
        """
        target = parse_url(url)
        deadline = time.monotonic() + timeout_s
        backend = _Backend(self._addresses(target, deadline), deadline)
        tls = None
        if target.scheme == "https":
            tls = self._tls or (_trusting() if http2 or identity else _tls())
            if identity is not None:
                _introduce(tls, identity)
        with httpcore.ConnectionPool(
            tls, max_connections=1, http1=not http2, http2=http2, network_backend=backend
        ) as pool:
            yield Line(target, pool, backend)

    def _addresses(self, target: Target, deadline: float) -> list[str]:
        """The addresses of the target, all of which may be called."""
        found = self._look_up(target, deadline)
        for each in found:
            address = ipaddress.ip_address(each)
            if self._allowed.covers(target.host, address):
                continue
            if not is_public(address):
                # Whoever typed the name must not learn what it means in our network.
                log.warning("refused to call %s: it is %s", target.host, address)
                raise AddressRefused(
                    f"{target.host} leads into a network that this marketplace does not call."
                )
            if target.scheme != "https":
                raise AddressRefused("The address must begin with https://.")
            if target.port != 443 and target.port < LOWEST_FREE_PORT:
                raise AddressRefused(f"Port {target.port} belongs to another service than HTTPS.")
        return found

    def _look_up(self, target: Target, deadline: float) -> list[str]:
        literal = literal_of(target.host)
        if literal is not None:
            return [str(literal)]
        try:
            found = _within(lambda: self._resolve(target.host, target.port), deadline)
            # A zone (`%eth0`) makes an address of this machine's own links.
            return [str(ipaddress.ip_address(each)) for each in found][:TRIED_ADDRESSES]
        except (OSError, ValueError) as error:
            raise Unreachable(f"The host {target.host} is not known: {error}") from error


def open_outbound(settings: Settings) -> Outbound:
    """Guarded calls as these settings allow them. UsageError where the setting is wrong."""
    return Outbound(parse_allowed(settings.outbound_allow))


@cache
def _tls() -> ssl.SSLContext:
    return _trusting()


def _trusting() -> ssl.SSLContext:
    """Certificates of the system (or SSL_CERT_FILE), and those that come with the program."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _introduce(tls: ssl.SSLContext, who: Identity) -> None:
    """Python reads a key from a file only: it is there for this moment, for us alone."""
    with tempfile.TemporaryDirectory() as folder:
        both = Path(folder) / "identity.pem"
        both.touch(mode=0o600)
        both.write_bytes(who.certificate + b"\n" + who.key)
        try:
            tls.load_cert_chain(both)
        except (ssl.SSLError, ValueError) as error:
            raise NotConfigured(f"The certificate and its key cannot be used: {error}") from None


def _read(answer: httpcore.Response, limit_bytes: int) -> Answer:
    body = bytearray()
    truncated = False
    for chunk in answer.iter_stream():
        body += chunk
        if len(body) > limit_bytes:
            truncated = True
            break
    return Answer(
        status=answer.status,
        headers={
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in answer.headers
        },
        body=bytes(body[:limit_bytes]),
        truncated=truncated,
    )


def _failure(error: Exception, *, is_open: bool) -> MarketplaceError:
    words = str(error) or type(error).__name__
    if is_open:
        return Unanswered(f"No whole answer came: {words}")
    return Unreachable(f"No connection could be made: {words}")


def _within(work: Callable[[], Sequence[str]], deadline: float) -> Sequence[str]:
    """Run `work` until the deadline; a name server that hangs keeps a thread, not its caller."""
    done: list[Sequence[str]] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            done.append(work())
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True, name="look-up")
    thread.start()
    thread.join(max(deadline - time.monotonic(), 0))
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError("the name server does not answer")
    if not done[0]:
        raise OSError("it has no address")
    return done[0]


class _Backend(httpcore.NetworkBackend):
    """Connects to the checked addresses, whatever the host is called."""

    def __init__(self, addresses: Sequence[str], deadline: float) -> None:
        self._addresses = addresses
        self._inner = httpcore.SyncBackend()
        self.deadline = deadline
        self.left_bytes = 0
        self.is_open = False
        """The request may have begun to leave us."""

    def begin(self, timeout_s: float, limit_bytes: int) -> None:
        """Another call: what it may take in time and in bytes."""
        self.deadline = time.monotonic() + timeout_s
        self.left_bytes = limit_bytes + OVERHEAD_BYTES
        self.is_open = False

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("no address")
        for position, address in enumerate(self._addresses, start=1):
            # One that swallows packets leaves time for the next.
            share = _left(self.deadline) / (len(self._addresses) - position + 1)
            try:
                stream = self._inner.connect_tcp(
                    address, port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self)
        raise failure


class _Stream(httpcore.NetworkStream):
    """A connection with an end in time, and in bytes."""

    def __init__(self, inner: httpcore.NetworkStream, backend: _Backend) -> None:
        self._inner = inner
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._backend.left_bytes <= 0:
            raise httpcore.ReadError("it is longer than the limit")
        # Where the next bytes are always there already, no read runs out of time by itself.
        if time.monotonic() >= self._backend.deadline:
            raise httpcore.ReadTimeout("it took too long")
        got = self._inner.read(max_bytes, _left(self._backend.deadline))
        self._backend.left_bytes -= len(got)
        return got

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._backend.is_open = True
        for start in range(0, len(buffer), WRITE_BYTES):
            self._inner.write(buffer[start : start + WRITE_BYTES], _left(self._backend.deadline))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, _left(self._backend.deadline))
        return _Stream(inner, self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(deadline: float) -> float:
    """Seconds until the deadline; past it, too little for anything but a clear time-out."""
    return max(deadline - time.monotonic(), 0.001)
