"""Codes of tickets: read back by us and by a foreign reader, and by nobody else's key."""

from __future__ import annotations

import base64
from uuid import UUID

import segno
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from marketplace_conference.tickets import codes, locators
from marketplace_conference.tickets.codes import Stub

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PUBLIC = {1: KEY.public_key().public_bytes_raw()}
STUB = Stub(UUID(int=7), UUID(int=9), 42)

stubs = st.builds(
    Stub,
    st.uuids(),
    st.uuids(),
    st.integers(0, 2**63 - 1),
    st.integers(1, codes.MOST_EDITIONS),
    st.integers(1, codes.MOST_KEYS),
)


@given(stubs)
def test_a_code_says_what_was_signed(stub: Stub) -> None:
    text = codes.sign(KEY, stub)
    found = codes.read(text)
    assert found is not None
    assert found.stub == stub
    assert codes.is_genuine(found, {stub.key: PUBLIC[1]})
    assert text == codes.sign(KEY, stub)


@given(stubs, st.integers(0, codes.LENGTH - 1), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_no_character_of_a_code_can_be_another(stub: Stub, at: int, letter: str) -> None:
    text = codes.sign(KEY, stub)
    forged = text[:at] + letter + text[at + 1 :]
    found = codes.read(forged)
    genuine = found is not None and codes.is_genuine(found, {stub.key: PUBLIC[1]})
    assert genuine == (forged == text)


@given(st.text(max_size=500))
def test_whatever_is_scanned_is_read_or_is_no_ticket(text: str) -> None:
    found = codes.read(text)
    assert found is None or not codes.is_genuine(found, PUBLIC)


def test_another_key_or_another_number_of_a_key_signs_nothing() -> None:
    found = codes.read(codes.sign(OTHER, STUB))
    assert found is not None
    assert not codes.is_genuine(found, PUBLIC)
    unknown = codes.read(codes.sign(KEY, Stub(UUID(int=7), UUID(int=9), 42, key=2)))
    assert unknown is not None
    assert not codes.is_genuine(unknown, PUBLIC)


def test_case_blanks_and_dashes_of_a_reader_do_no_harm() -> None:
    text = codes.sign(KEY, STUB)
    changed = f" {text[:50].lower()}-{text[50:]}\r\n"
    assert codes.read(changed) == codes.read(text)


def test_a_second_spelling_of_the_same_bytes_is_no_code() -> None:
    text = codes.sign(KEY, STUB)
    spare = -len(base64.b32decode(text[3:] + "=" * (-len(text[3:]) % 8))) * 8 % 5
    assert spare > 0, "the last character has bits that carry nothing"
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    twin = text[:-1] + alphabet[alphabet.index(text[-1]) + 1]
    assert codes.read(twin) is None


def test_a_qr_code_holds_it_in_its_dense_mode() -> None:
    made = segno.make(codes.sign(KEY, STUB), error="m", micro=False)
    assert (made.mode, made.version) == ("alphanumeric", 7)


@given(st.integers(0, locators.LENGTH - 1), st.sampled_from(locators.ALPHABET))
def test_a_locator_notices_a_wrong_character(at: int, letter: str) -> None:
    plain = locators.new_locator().replace("-", "")
    typed = plain[:at] + letter + plain[at + 1 :]
    assert (locators.read_locator(typed.lower()) is not None) == (typed == plain)
