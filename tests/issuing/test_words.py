"""Everything an importer finds wrong is said in the reader's language, with advice."""

from __future__ import annotations

import io

import pytest

from marketplace.coalition.imports import import_file
from marketplace.issuing.words import ISSUE_FAULTS, in_words
from marketplace.ledger.errors import IssueFault
from marketplace.web.i18n import NAMES, core_languages, speak
from tests.factories import Coalition

HEADER = b"reference,participant,points,effective_at,expires_at\n"
FILES = [
    b"",
    b"reference;participant;points\n",
    b"reference,participant,points,colour,points\n",
    b"reference,participant\n",
    b'reference,participant,points\nA,"P-ann" x,5\n',
    HEADER + b"A,P-ann,5\nB,P-ann,many,,\nC,P-nobody,5,,\n,P-ann,5,,\n D,P-ann,5,,\n",
    HEADER + b"A,P-ann,5,soon,\nB,P-ann,5,,2000-99-01\n\xff,P-ann,5,,\nC,P-o'hara,0,,\n",
    HEADER + b"A,P-ann,5,2100-01-01,\nB,P-ann,5,1999-01-01,\nC,P-ann,5,2024-01-02,2024-01-01\n",
    HEADER + b"A,P-ann,5,,\nA,P-ann,5,,\nB,P-ann,1000000000000,,\n",
    b"reference,issuer,participant,points\nA,beta,P-ann,5\n",
]


@pytest.mark.parametrize("content", FILES)
async def test_what_is_wrong_with_a_file_is_said_with_advice(
    coalition: Coalition, content: bytes
) -> None:
    async with coalition.runtime.database.begin() as session:
        report = await import_file(session, "issuances", io.BytesIO(content), issuer="alpha")
    assert report.bad
    for each in report.bad_lines:
        told = in_words(each.reason)
        assert told.advice is not None, each.reason
        for code in NAMES:
            with speak(core_languages()[code]):
                assert str(told.what)
                assert (str(told.what) == each.reason) is False


def test_every_fault_of_the_ledger_is_known() -> None:
    assert set(ISSUE_FAULTS) == set(IssueFault)
    for fault in IssueFault:
        told = in_words(fault.detail('it\'s "A"'))
        assert (told.what, told.advice) == ISSUE_FAULTS[fault]


def test_what_is_not_known_is_said_as_it_is() -> None:
    assert in_words("the moon is full").what == "the moon is full"
