"""What a receiver's engineer reads is true: the examples, and the ten lines that verify."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from marketplace.identity.domain import Scope
from marketplace.signing import BadSignature, new_key, sign, verify
from marketplace.webhooks.domain import EventType
from marketplace.webhooks.views import example_of

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "partners" / "webhooks.md").read_text()
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BODY = b'{"type":"burn.fulfilled"}'


def section(title: str) -> str:
    return PAGE.split(f"\n### {title}\n")[1].split("\n#")[0]


@pytest.mark.parametrize("kind", EventType)
def test_every_event_is_documented_with_its_example(kind: EventType) -> None:
    [(language, example)] = FENCE.findall(section(kind.value))
    assert language == "json"
    assert json.loads(example) == example_of(kind)
    assert f"`{kind.value}`" in (DOCS / "concepts" / "webhooks.md").read_text()


def test_the_lines_that_verify_do() -> None:
    [code] = [text for language, text in FENCE.findall(PAGE) if language == "python"]
    lines = [line for line in code.splitlines() if line and not line.startswith("import")]
    assert len(lines) <= 10
    names: dict[str, Any] = {}
    exec(compile(code, "webhooks.md", "exec"), names)  # noqa: S102 - the page's own code
    is_ours = names["is_ours"]
    old, new = new_key(), new_key()
    headers = sign([new, old], "msg_1", BODY)
    assert is_ours(old, headers, BODY)
    assert is_ours(new, headers, BODY)
    assert not is_ours(new_key(), headers, BODY)
    assert not is_ours(old, headers, BODY + b" ")
    assert not is_ours(old, {**headers, "webhook-id": "msg_2"}, BODY)
    late = {**headers, "webhook-timestamp": str(int(time.time()) - 301)}
    assert not is_ours(old, late, BODY)


def test_what_is_signed_is_verified_and_nothing_else() -> None:
    ours, theirs = new_key(), new_key()
    signed = sign([ours], "msg_1", BODY)
    assert verify([theirs, ours], {k.title(): v for k, v in signed.items()}, BODY) == "msg_1"
    for headers, body in (
        ({}, BODY),
        (signed, BODY[:-1]),
        ({**signed, "webhook-timestamp": "yesterday"}, BODY),
        ({**signed, "webhook-timestamp": "inf"}, BODY),
        ({**signed, "webhook-signature": "v1"}, BODY),
        ({**signed, "webhook-signature": "v2," + signed["webhook-signature"][3:]}, BODY),
        (signed, b"\xff"),
    ):
        with pytest.raises(BadSignature):
            verify([ours], headers, body)
    with pytest.raises(BadSignature):
        verify([], signed, BODY)


def test_scopes_are_documented() -> None:
    page = (DOCS / "concepts" / "identity.md").read_text()
    assert f"`{Scope.WEBHOOKS_READ}`" in page
    assert f"`{Scope.WEBHOOKS_WRITE}`" in page
