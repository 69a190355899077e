"""Taking messages from the broker: one that is not fit to be read ends no worker, nor does a broker
that refuses for a while.

Celery leaves some of what a bad message raises to whoever called: the thread would end, the process
with it, and the message, still unacknowledged, go on to the next worker.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer

log = logging.getLogger(__name__)

AGAIN_S = 1.0
"""Pause before a broker is asked again that is there and refuses what it is asked."""
LONGEST_SHOWN = 300
"""Characters of a bad message that are logged."""


class HardyConsumer(Consumer):  # type: ignore[misc]  # celery states no types
    """Rejects what raises, without giving it back, and goes on to the next message."""

    def create_task_handler(self, *given: Any, **named: Any) -> Callable[[Any], Any]:
        """What is called with each message."""
        return self._hardy(super().create_task_handler(*given, **named))

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """What is called with a message whose body cannot be unpacked."""
        self._hardy(lambda each: Consumer.on_decode_error(self, each, exc))(message)

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        """What is called where a broker lets nobody in, before Celery asks it anew."""
        super().on_connection_error_before_connected(exc)
        time.sleep(AGAIN_S)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """What is called before Celery connects anew, which a broker that refuses hears at once."""
        super().on_connection_error_after_connected(exc)
        if not isinstance(exc, self.connection_errors):
            time.sleep(AGAIN_S)

    def _hardy(self, take: Callable[[Any], Any]) -> Callable[[Any], Any]:
        lost = (*self.connection_errors, *self.channel_errors)

        def hardy(message: Any) -> Any:
            try:
                return take(message)
            except lost:
                raise  # Celery connects anew; the message comes again
            except Exception:
                log.exception(
                    "a message that cannot be worked on was thrown away: headers %.*r, body %.*r",
                    *(LONGEST_SHOWN, message.headers, LONGEST_SHOWN, message.body),
                )
                if not message.acknowledged:
                    message.reject_log_error(log, self.connection_errors)
                return None

        return hardy
