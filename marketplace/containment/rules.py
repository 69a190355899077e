"""Eligibility rules under watch: they run in the main thread of an API process, between burns.

One that takes longer than LIMIT_S is interrupted and taken out for a while; so is one that takes
more than its share of the time. What is taken out refuses, for a rule may not give rewards away.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from marketplace import api, interrupt

LIMIT_S: Final = 0.25
"""Longest that one question may take: burns of everybody wait meanwhile."""
SHARE_S: Final = 0.5
"""Longest that all questions to a rule may take within a second."""
FIRST_REST_S: Final = 10.0
LONGEST_REST_S: Final = 3_600.0

NoteTrouble = Callable[[str, str, str], None]
"""Called with (plugin, what, words)."""


class WatchedRule:
    """A rule that can be taken out."""

    def __init__(self, rule: api.EligibilityRule, note: NoteTrouble) -> None:
        self.name = rule.name
        self._rule = rule
        self._note = note
        self._rests_until = 0.0
        self._rest_s = FIRST_REST_S
        self._second_ends = 0.0
        self._spent_s = 0.0

    def refusal(self, who: api.Who, offer_reference: str) -> str | None:
        """What the rule says; words that it cannot be asked while it is taken out."""
        began = time.perf_counter()
        if began < self._rests_until:
            return self._out()
        watched = interrupt.can_interrupt()
        try:
            try:
                if watched:
                    interrupt.start_timer(LIMIT_S)
                reason = self._rule.refusal(who, offer_reference)
            finally:
                if watched:
                    interrupt.stop_timer()
                self._count(began)
        except interrupt.Interrupted:
            interrupt.stop_timer()
            self._take_out(f"took longer than {LIMIT_S * 1000:g} ms and was interrupted")
            return self._out()
        except BaseException as error:
            self._note(self.name.split(".")[0], "rule", f"{self.name} raised {error!r}")
            if isinstance(error, KeyboardInterrupt | GeneratorExit):
                raise
            return f"The rule {self.name} of this offer could not be checked."
        if time.perf_counter() - began > LIMIT_S:  # it has caught what would end it
            self._take_out(f"took longer than {LIMIT_S * 1000:g} ms")
            return self._out()
        return reason

    def _count(self, began: float) -> None:
        now = time.perf_counter()
        if now >= self._second_ends:
            self._second_ends, self._spent_s = now + 1.0, 0.0
        self._spent_s += now - began
        if self._spent_s > SHARE_S and now >= self._rests_until:
            self._take_out(f"took more than {SHARE_S:g} s of one second")

    def _take_out(self, why: str) -> None:
        self._rests_until = time.perf_counter() + self._rest_s
        words = f"{self.name} {why}; it is not asked for {self._rest_s:g} s"
        self._rest_s = min(self._rest_s * 2, LONGEST_REST_S)
        self._note(self.name.split(".")[0], "rule", words)

    def _out(self) -> str:
        return f"The rule {self.name} of this offer does not answer at present."
