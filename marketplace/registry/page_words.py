"""What the partner console says about plugins: how they stand, what closes them, what was done."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from marketplace.certify.domain import Status, Verdict
from marketplace.exchange.domain import Cause
from marketplace.registry.domain import State
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l

STATES: Final[dict[State, tuple[Lazy, str]]] = {
    State.HOUSE: (_l("Part of the marketplace"), "good"),
    State.ACTIVE: (_l("Active"), "good"),
    State.NOT_ACTIVE: (_l("Installed, not activated"), "care"),
    State.CHANGED: (_l("Changed since it was activated"), "care"),
    State.DISABLED: (_l("Does not start"), "bad"),
    State.STOPPED: (_l("Stopped by the operator"), "bad"),
    State.MISSING: (_l("Not installed any more"), "bad"),
}
"""Words and tone."""
CAUSES: Final[dict[Cause, Lazy]] = {
    Cause.OPERATOR: _l("The operator has closed its offers."),
    Cause.NOT_ACTIVE: _l("It is not active, so it delivers nothing."),
    Cause.NOT_ENABLED: _l("It is not enabled for this member."),
    Cause.SANDBOX: _l("The sandbox is on: only trial orders reach it."),
    Cause.BREAKER: _l("Its supplier is in trouble and is left alone for a while."),
    Cause.PLUGIN: _l("It has closed its offers itself."),
}
VERDICTS: Final[dict[Verdict, tuple[Lazy, str]]] = {
    Verdict.PASSED: (_l("Passed"), "good"),
    Verdict.FAILED: (_l("Failed"), "bad"),
    Verdict.INCOMPLETE: (_l("Incomplete"), "care"),
}
RESULTS: Final[dict[Status, tuple[Lazy, str]]] = {
    Status.PASSED: (_l("passed"), "good"),
    Status.FAILED: (_l("failed"), "bad"),
    Status.NOT_SHOWN: (_l("not shown"), "care"),
    Status.EXCUSED: (_l("excused"), "told"),
}
OUTCOMES: Final[dict[str, tuple[Lazy, str]]] = {
    "fulfilled": (_l("Delivered"), "good"),
    "pending": (_l("Taken, not delivered yet"), "told"),
    "rejected": (_l("Refused"), "bad"),
    "retry": (_l("Not taken now; it would be tried again"), "care"),
    "unknown": (_l("No clear answer"), "bad"),
    "neverordered": (_l("Never ordered"), "bad"),
}
"""Of a trial order."""
FIELD_SAID: Final[dict[str, Lazy]] = {
    "It is needed.": _l("Fill this in."),
    "Say yes or no.": _l("Say yes or no."),
    "It must be a whole number.": _l("A whole number, please."),
    "It must be text.": _l("Text, please."),
    "It must be an address that begins with https:// or http://.": _l(
        "An address that begins with https:// or http://."
    ),
    "It does not have the form that is asked for.": _l("It does not have the form asked for."),
}
DONE: Final[dict[str, Lazy]] = {
    "plugin.installed": _l("Installed, version %(version)s"),
    "plugin.uninstalled": _l("Uninstalled"),
    "plugin.activated": _l("Activated, version %(version)s"),
    "plugin.configured": _l("Settings changed: %(changed)s"),
    "plugin.enabled": _l("Enabled"),
    "plugin.disabled": _l("Disabled"),
    "plugin.closed": _l("Offers closed: %(why)s"),
    "plugin.reopened": _l("Opened again: %(why)s"),
    "plugin.tried": _l("Trial order of %(sku)s: %(outcome)s"),
}


class Done(msgspec.Struct, frozen=True):
    """One entry of a plugin's history."""

    what: str
    who: str
    at: Any


def said(words: str) -> Lazy | str:
    """What is wrong with a setting, in the reader's language where the registry says it itself."""
    return FIELD_SAID.get(words, words)


def done_words(action: str, details: dict[str, Any]) -> str:
    """What an entry of the audit trail says; called while a language is spoken."""
    if action not in DONE:
        return action
    cause = details.get("cause")
    outcome = details.get("outcome", "")
    values = {
        "version": details.get("version", ""),
        "changed": ", ".join(details.get("changed") or ["-"]),
        "why": str(CAUSES[Cause(cause)]) if cause else "",
        "sku": details.get("sku", ""),
        "outcome": str(OUTCOMES[outcome][0]) if outcome in OUTCOMES else outcome,
    }
    return str(DONE[action]) % values
