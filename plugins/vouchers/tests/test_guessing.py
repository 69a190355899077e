"""Somebody guesses codes: with one key, with many, from one address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from marketplace_vouchers import guard, redeeming
from marketplace_vouchers.codes import new_code
from marketplace_vouchers.commands import make_commands
from marketplace_vouchers.errors import LockedOut, MistypedCode, UnknownVoucher
from marketplace_vouchers.models import strike

from marketplace.api import Host

Sell = Callable[..., list[str]]
Open = Callable[..., Any]


@pytest.fixture(autouse=True)
def clean_slate(host: Host) -> None:
    """Nobody has guessed yet: limits that all share hold for all tests of this database."""
    with host.transaction() as session:
        session.execute(sa.delete(strike))


def guess(till: Any, code: str | None = None) -> type[Exception]:
    """What a guess is answered."""
    with pytest.raises((UnknownVoucher, MistypedCode, LockedOut)) as answer:
        redeeming.validate(till.host, till.till, code or new_code())
    return answer.type


def until_locked_out(till: Any, code: str | None = None) -> int:
    """How many guesses a till has."""
    count = 0
    while guess(till, code) is not LockedOut:
        count += 1
        assert count < 1_000
    return count


@pytest.fixture
def at(host: Host, monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """`at(timedelta(hours=1))`: from now on it is that much later."""
    with host.transaction() as session:
        start = host.now(session)

    def move(by: timedelta) -> None:
        moment: datetime = start + by
        monkeypatch.setattr(type(host), "now", lambda *_: moment)

    return move


def test_ten_guesses_lock_a_till_out_twice_as_long_each_time(
    host: Host, sell: Sell, desk: Open, at: Callable[[timedelta], None]
) -> None:
    (code,) = sell()
    guesser, honest = desk("tickets"), desk("shop")
    assert until_locked_out(guesser) == 10
    for right in (lambda: guesser.left(code), lambda: guesser.redeem(code)):
        with pytest.raises(LockedOut) as told:
            right()
        assert 890 <= int(told.value.headers["Retry-After"]) <= 901
    assert honest.left(code) == 50
    at(timedelta(minutes=16))
    assert guesser.left(code) == 50
    assert until_locked_out(guesser) == 10
    with pytest.raises(LockedOut) as told:
        guesser.left(code)
    assert int(told.value.headers["Retry-After"]) == 1_800


def test_typing_errors_cost_a_third_and_are_forgotten(
    host: Host, sell: Sell, desk: Open, at: Callable[[timedelta], None]
) -> None:
    (code,) = sell()
    till = desk()
    assert [guess(till, "K7QX") for _ in range(29)] == [MistypedCode] * 29
    assert till.left(code) == 50
    at(timedelta(minutes=16))
    assert until_locked_out(till, "K7QX") == 30


def test_a_right_code_in_between_forgives_nothing(sell: Sell, desk: Open) -> None:
    (code,) = sell()
    till = desk()
    for _ in range(10):
        assert till.left(code) == 50
        assert guess(till) is UnknownVoucher
    assert guess(till) is LockedOut


@pytest.mark.parametrize("shared", ["member", "address", "all"])
def test_a_guesser_with_many_keys_has_one_try_with_each_when_the_limit_is_reached(
    shared: str, sell: Sell, desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = sell()
    limits = dict.fromkeys(guard.SHARED_LIMITS, 10000) | {shared: 60}
    monkeypatch.setattr(guard, "SHARED_LIMITS", limits)

    def next_key(number: int) -> Any:
        made = desk("tickets" if shared == "member" else f"member{number}")
        if shared == "address":
            made.till = msgspec.structs.replace(made.till, address="203.0.113.9")
        return made

    tries = [until_locked_out(next_key(number)) for number in range(5)]
    assert tries == [10, 10, 1, 1, 1]
    honest = next_key(9)
    assert honest.left(code) == 50


def test_the_house_sees_who_is_locked_out_and_forgives(
    host: Host, sell: Sell, desk: Open, at: Callable[[timedelta], None]
) -> None:
    (code,) = sell()
    till = desk()
    until_locked_out(till)
    commands = {each.command.name: each.command for each in make_commands(host)}
    run = CliRunner().invoke
    listed = run(commands["lock-outs"]).output
    assert listed.startswith(f"{till.till.subject}  until ")
    assert run(commands["forgive"], [till.till.subject]).exit_code == 0
    assert run(commands["lock-outs"]).output == ""
    assert till.left(code) == 50
    assert run(commands["forgive"], ["key:nobody"]).exit_code == 1
    at(timedelta(days=5))
    guard.forget(host)
    with host.transaction() as session:
        assert session.execute(sa.select(strike)).all() == []
