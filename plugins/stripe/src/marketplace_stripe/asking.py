"""Requests within a time, and lists that are read to their end or not believed at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import stripe

PAGE: Final = 100
"""Objects asked for at a time; Stripe gives no more."""
MOST_PAGES: Final = 10_000
AT_ONCE: Final = 8
"""Requests at one time; Stripe takes 25 a second of a test key, and 100 of a live one."""
T = TypeVar("T")
R = TypeVar("R")


class Late(stripe.APIConnectionError):
    """There was no time left to ask: this request was not sent."""

    def __init__(self) -> None:
        super().__init__("there was no time left to ask")  # type: ignore[no-untyped-call]


class Unclear(Exception):
    """What Stripe shows cannot be believed, or contradicts itself; in words for finance."""


_own = threading.local()


@contextmanager
def begun_by(moment: float | None) -> Iterator[None]:
    """No request of this thread begins after `moment` (of `time.monotonic`); it raises Late.
    None: there is no hurry."""
    _own.begin_by = moment
    try:
        yield
    finally:
        _own.begin_by = None


def at_once(asked: Sequence[T], work: Callable[[T], R]) -> list[R]:
    """Work on some at a time, each within the time that this thread has."""
    until = getattr(_own, "begin_by", None)

    def one(each: T) -> R:
        with begun_by(until):
            return work(each)

    if not asked:
        return []
    with ThreadPoolExecutor(min(AT_ONCE, len(asked)), thread_name_prefix="stripe") as pool:
        return list(pool.map(one, asked))


class Http(stripe.RequestsClient):
    """The package's HTTP client, which looks at the clock before it sends anything."""

    def request(  # type: ignore[override]
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """See `stripe.HTTPClient`."""
        begin_by = getattr(_own, "begin_by", None)
        if begin_by is not None and time.monotonic() >= begin_by:
            raise Late
        found: tuple[bytes, int, Mapping[str, str]] = super().request(
            method, url, headers, post_data
        )
        return found


def pages(fetch: Callable[[Any], Any], asked: Mapping[str, Any]) -> Iterator[list[Any]]:
    """A list of Stripe's, page by page, newest first. Unclear where it does not come to an end.

    Not the package's own paging: that goes in circles for ever where a list says that there is
    more and shows the same again.
    """
    seen: set[str] = set()
    after: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        page = fetch({**asked, "limit": PAGE, **after})
        shown = list(page.data)
        new = [each for each in shown if each.id not in seen]
        if new:
            yield new
        # Where it does not say, a full page is no proof that there is nothing behind it.
        if not getattr(page, "has_more", len(shown) >= PAGE):
            return
        if not new:
            break
        seen.update(each.id for each in new)
        after = {"starting_after": shown[-1].id}
    raise Unclear("Stripe's list does not come to an end")


def each(fetch: Callable[[Any], Any], asked: Mapping[str, Any]) -> Iterator[Any]:
    """The same, one by one."""
    for page in pages(fetch, asked):
        yield from page
