"""What every rail must do that makes files for a bank, as a class of tests to subclass."""

# ruff: noqa: S101
from __future__ import annotations

import io
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from marketplace import api
from marketplace.certify.scenarios.file_rails import GARBAGE, ODD
from marketplace.containment.rails import fault_of_files
from marketplace.ids import uuid7
from marketplace.testing.conformance import HEALTH_S, tells_health_in

READ_S = 5.0


class FileRailConformance:
    """What every rail that makes files must do. Subclass it and give it three fixtures:

    `rail`: an `api.FileRail`; `account`: an account that money reaches, a struct of
    `FileRail.account`; `house`: the clearing house's side, a struct of `FileRail.house`.
    """

    @staticmethod
    def batch(house: Any) -> api.Batch:
        """A new batch."""
        return api.Batch(
            reference=f"S-{uuid7().hex[-12:].upper()}",
            made_at=datetime.now(UTC),
            house=house,
        )

    @staticmethod
    def leg(rail: api.FileRail, account: Any, **changes: Any) -> api.Leg:
        """A new leg, as the house hands it over."""
        leg = api.Leg(
            reference=f"CRM-{uuid7().hex[-20:].upper()}",
            direction=min(rail.directions),
            amount_minor=12_345,
            currency=min(rail.currencies, default="EUR"),
            name="Example Ltd",
            account=account,
            due_on=datetime.now(UTC).date() + timedelta(days=2),
            text="Coalition settlement",
        )
        return msgspec.structs.replace(leg, **changes)

    def legs(self, rail: api.FileRail, account: Any) -> list[api.Leg]:
        """A cent, much, and another day, in each direction."""
        later = datetime.now(UTC).date() + timedelta(days=9)
        return [
            self.leg(rail, account, direction=direction, amount_minor=amount, **more)
            for direction in sorted(rail.directions)
            for amount, more in ((1, {}), (12_345_678, {}), (99, {"due_on": later}))
        ]

    def test_it_is_a_file_rail(self, rail: api.FileRail, house: Any) -> None:
        """It says what it can do."""
        assert isinstance(rail, api.FileRail)
        assert rail.slug
        assert rail.directions
        assert rail.directions <= set(api.Direction)
        assert isinstance(house, rail.house)

    def test_a_good_account_passes(self, rail: api.FileRail, account: Any) -> None:
        """`check_account` is silent about it."""
        assert isinstance(account, rail.account)
        rail.check_account(account)

    def test_each_leg_is_in_exactly_one_file(
        self, rail: api.FileRail, account: Any, house: Any
    ) -> None:
        """One leg, several; of none there is no file."""
        legs, batch = self.legs(rail, account), self.batch(house)
        assert list(rail.files(batch, [])) == []
        for some in (legs[:1], legs):
            assert fault_of_files(some, rail.files(batch, some)) == ""

    def test_made_again_files_are_the_same_to_the_byte(
        self, rail: api.FileRail, account: Any, house: Any
    ) -> None:
        """Also later; another amount is another file."""
        legs, batch = self.legs(rail, account), self.batch(house)
        first = rail.files(batch, legs)
        time.sleep(1.1)
        assert list(rail.files(batch, legs)) == list(first)
        other = msgspec.structs.replace(legs[0], amount_minor=legs[0].amount_minor + 1)
        assert list(rail.files(batch, [other, *legs[1:]])) != list(first)

    def test_what_it_cannot_pay_is_refused_in_words(
        self, rail: api.FileRail, account: Any, house: Any
    ) -> None:
        """Then there is no file, of the good legs either."""
        good = self.leg(rail, account)
        bad: list[Sequence[api.Leg]] = [
            [good, good],
            [good, self.leg(rail, account, amount_minor=0)],
            [good, self.leg(rail, account, amount_minor=-1)],
        ]
        if rail.currencies:
            bad.append([good, self.leg(rail, account, currency="XTS")])
        for legs in bad:
            with pytest.raises(api.InvalidRequest) as refused:
                rail.files(self.batch(house), legs)
            assert legs[-1].reference in refused.value.detail

    def test_odd_words_break_no_file(self, rail: api.FileRail, account: Any, house: Any) -> None:
        """They are written in a way that the bank takes, or refused."""
        for words in ODD:
            legs = [self.leg(rail, account, text=words[:140], name=words)]
            try:
                files = rail.files(self.batch(house), legs)
            except api.InvalidRequest:
                continue
            assert fault_of_files(legs, files) == ""
            assert not any(b"<b>" in each.content or b"\0" in each.content for each in files)

    @pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
    def test_what_no_bank_sends_is_refused_in_words(
        self, rail: api.FileRail, content: bytes
    ) -> None:
        """Quickly, entities that grow too. A rail that reads nothing has nothing to refuse."""
        if not isinstance(rail, api.BankReader):
            pytest.skip("it reads no files of a bank")
        started = time.thread_time()  # a busy machine is not the rail's fault
        with pytest.raises(api.InvalidRequest) as refused:
            list(rail.read(io.BytesIO(content)))
        assert refused.value.detail
        assert time.thread_time() - started < READ_S

    def test_it_tells_its_health_quickly(self, rail: api.FileRail) -> None:
        """`health` answers within a second or two."""
        assert tells_health_in(HEALTH_S, rail.health)
