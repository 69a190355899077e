"""Calls the running program over HTTP, as anybody outside would."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any, Final

import msgspec

from marketplace.errors import UsageError

REQUEST_S: Final = 30


class CheckFailed(UsageError):
    """The running program did not do what it should; the detail says what."""


class Client:
    """Calls the API with a key, a session or neither; all but success raises CheckFailed."""

    def __init__(self, address: str, key: str) -> None:
        self._address = address
        self._key = key

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """The decoded answer; None where it is empty."""
        request = urllib.request.Request(  # noqa: S310 - our own address
            self._address + path,
            method=method,
            data=None if body is None else msgspec.json.encode(body),
            headers={
                **({"Authorization": f"Bearer {self._key}"} if self._key else {}),
                "Content-Type": "application/json",
                **headers,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_S) as answer:  # noqa: S310
                told = answer.read()
                return msgspec.json.decode(told) if told else None
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise CheckFailed(f"{method} {path} answered {error.code}: {text}") from None
        except OSError as error:
            raise CheckFailed(f"{method} {path} got no answer: {error}") from None
