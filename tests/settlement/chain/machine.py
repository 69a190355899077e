"""Random lives of a coalition: every step is taken by the product and by the oracle."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.settlement.chain.naive import Line
from tests.settlement.chain.naive_house import HOUSE, Leg, Settlement
from tests.settlement.chain.points import Points


class Chain(Points):
    """From points to money."""

    # -- windows and settlements ------------------------------------------------------------------

    @rule()
    def close(self) -> None:
        window_id = self.run(self.stage.finance.close_window())
        window = self.house.close()
        self.windows[window] = window_id
        told = self.world.of_window(window)
        self.run(self.stage.take_rows(window_id, told))
        expected = "closed" if window in self.house.closed else "settled"
        assert self.run(self.stage.finance.window(window_id)) == expected

    @precondition(lambda self: self.house.closed)
    @rule(data=st.data(), bilateral=st.booleans())
    def net(self, data: st.DataObject, bilateral: bool) -> None:
        self.draft(data.draw(st.integers(1, len(self.house.closed))), bilateral=bilateral)

    def draft(self, count: int, *, bilateral: bool = False) -> Settlement:
        windows = [self.windows[each] for each in self.house.closed[:count]]
        settlement_id = self.run(self.stage.draft(windows, bilateral=bilateral))
        made = self.house.draft(count, bilateral=bilateral)
        self.note(f"netted {'bilaterally' if bilateral else 'multilaterally'}")
        left_out = [each for w in made.windows for each in self.world.of_window(w)]
        if set(left_out) - set(made.lines):
            self.note("left lines out")
        if set(made.lines) - set(left_out):
            self.note("took lines in again")
        self.ids[made] = settlement_id
        self.look_at(made)
        return made

    def look_at(self, made: Settlement) -> None:
        """Positions and legs are what the oracle says, to the micro."""
        assert self.run(self.stage.positions(self.ids[made])) == made.nets
        rows = self.run(self.stage.read_legs(self.ids[made]))
        told = {
            (each.currency, each.member, each.other, each.net, each.paid): each
            for each in made.legs
        }
        shown = {content for _, content in rows}
        if made.bilateral:
            # A pair that comes out even may have a leg of nothing.
            assert {key for key in told if key[3]} == {key for key in shown if key[3]}
            made.legs = [each for each in made.legs if each.net]
        else:
            assert told.keys() == shown
        for row, content in rows:
            if content in told:
                self.stage.legs[told[content]] = row.id
                assert (row.status.value == "booked") == (row.amount_minor == 0)

    def of_status(self, *statuses: str) -> list[Settlement]:
        return [each for each in self.house.settlements if each.status in statuses]

    @precondition(lambda self: self.of_status("pending", "recorded", "approved"))
    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        """The next step of a settlement."""
        found = self.of_status("pending", "recorded", "approved")
        self.advance(data.draw(st.sampled_from(found)))

    def advance(self, of: Settlement) -> None:
        step = {"pending": "record", "recorded": "approve", "approved": "submit"}[of.status]
        if step == "submit":
            self.run(self.stage.step("submit", self.ids[of]))
            self.house.submit(of)
        else:
            self.run(self.stage.step(step, self.ids[of]))
            if step == "approve":
                self.house.approve(of)
            else:
                of.status = "recorded"
        self.look_at_status(of)

    @precondition(lambda self: self.of_status("pending", "recorded", "approved"))
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        of = data.draw(st.sampled_from(self.of_status("pending", "recorded", "approved")))
        if of.covers is not None and of.status == "approved":
            return
        self.run(self.stage.step("abort", self.ids[of]))
        self.note("aborted")
        self.house.abort(of)

    def look_at_status(self, of: Settlement) -> None:
        assert self.run(self.stage.status(self.ids[of])) == of.status
        for window in of.windows:
            shown = self.run(self.stage.finance.window(self.windows[window]))
            assert shown == ("settled" if of.status == "settled" else "in_settlement")

    # -- legs -------------------------------------------------------------------------------------

    def of_leg(self, *statuses: str) -> list[tuple[Settlement, Leg]]:
        return [
            (each, leg)
            for each in self.of_status("submitted", "settled")
            for leg in each.legs
            if leg.status in statuses and leg.paid
        ]

    @precondition(lambda self: self.of_leg("planned", "submitted"))
    @rule(data=st.data(), refused=st.integers(0, 4))
    def bank(self, data: st.DataObject, refused: int) -> None:
        """The bank shows a leg, or refuses it."""
        of, leg = data.draw(st.sampled_from(self.of_leg("planned", "submitted")))
        self.pay(of, leg, refused=not refused)

    def pay(self, of: Settlement, leg: Leg, *, refused: bool = False) -> None:
        self.run(self.stage.leg("reject" if refused else "book", leg))
        leg.status = "rejected" if refused else "booked"
        self.note(f"a leg was {leg.status}")
        if not refused:
            of.progress()
        self.look_at_status(of)

    @precondition(lambda self: self.of_leg("booked"))
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        """Money comes back, though all was settled."""
        self.come_back(*data.draw(st.sampled_from(self.of_leg("booked"))))

    def come_back(self, of: Settlement, leg: Leg) -> None:
        self.run(self.stage.leg("return_", leg))
        leg.status = "returned"
        self.note(f"money came back of a settlement that was {of.status}")
        self.look_at_status(of)

    @precondition(lambda self: self.failed())
    @rule(data=st.data())
    def repay(self, data: st.DataObject) -> None:
        of, leg = data.draw(st.sampled_from(self.failed()))
        again = self.house.repay(of, leg)
        self.note("paid again")
        self.run(self.stage.repay(leg, again))

    def failed(self) -> list[tuple[Settlement, Leg]]:
        found = self.of_leg("rejected", "returned")
        return [(of, leg) for of, leg in found if leg.again is None]

    @precondition(lambda self: self.defaulters())
    @rule(data=st.data(), by_creditors=st.booleans())
    def default(self, data: st.DataObject, by_creditors: bool) -> None:
        self.cover(*data.draw(st.sampled_from(self.defaulters())), by_creditors=by_creditors)

    def cover(self, of: Settlement, leg: Leg, *, by_creditors: bool) -> Settlement | None:
        made = self.house.default(of, leg, by_creditors)
        if made is None:
            return None
        self.note(f"a default after a leg was {leg.status}")
        self.ids[made] = self.run(self.stage.default(leg, by_creditors=by_creditors))
        self.note(f"a default, covered by {'creditors' if by_creditors else 'the operator'}")
        self.look_at(made)
        return made

    def defaulters(self) -> list[tuple[Settlement, Leg]]:
        return [(of, leg) for of, leg in self.failed() if leg.net < 0 and leg.other == HOUSE]

    # -- disputes ---------------------------------------------------------------------------------

    def disputable(self) -> list[Line]:
        return [
            line
            for line in self.stage.lines
            if line.kind != "issuance"
            and not line.undone
            and self.house.disputed.get(line, "withdrawn") == "withdrawn"
        ]

    @precondition(lambda self: self.disputable())
    @rule(data=st.data())
    def dispute(self, data: st.DataObject) -> None:
        line = data.draw(st.sampled_from(self.disputable()))
        by = data.draw(st.sampled_from([each for each in (line.payer, line.payee) if each]))
        self.object(line, by)

    def object(self, line: Line, by: str) -> None:
        self.disputes[line] = self.run(self.stage.dispute(line, by))
        self.house.disputed[line] = "open"

    def open_disputes(self) -> list[Line]:
        return [line for line, status in self.house.disputed.items() if status == "open"]

    @precondition(lambda self: self.open_disputes())
    @rule(data=st.data(), how=st.sampled_from(["upheld", "rejected", "withdrawn"]))
    def decide(self, data: st.DataObject, how: str) -> None:
        self.end(data.draw(st.sampled_from(self.open_disputes())), how)

    def end(self, line: Line, how: str) -> None:
        if how == "withdrawn":
            self.run(self.stage.withdraw(self.disputes[line]))
        else:
            self.run(self.stage.decide(self.disputes[line], upheld=how == "upheld"))
        self.house.disputed[line] = how
        self.note(f"a dispute was {how}")
        if self.left_out(line):
            self.note(f"a line of a settled window was {how}")
        if how == "upheld":
            self.world.uphold(line)

    @rule()
    def pass_of_clock(self) -> None:
        """What was refunded of lines that were undone is undone, at the latest now."""
        self.run(self.stage.undo_contras())
        if self.world.undo_refunds():
            self.note("a refund of an undone line was undone")

    def left_out(self, line: Line) -> bool:
        """Whether its window is settled, and it is not."""
        settled = {w for each in self.of_status("settled") for w in each.windows}
        return line.window in settled and not self.house.holder(line)

    # -- whole steps ------------------------------------------------------------------------------

    @precondition(lambda self: self.unfinished())
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        self.to_the_end(data.draw(st.sampled_from(self.unfinished())))

    def unfinished(self) -> list[Settlement]:
        return self.of_status("pending", "recorded", "approved", "submitted")

    def to_the_end(self, of: Settlement) -> None:
        """Vouched for, sent off, and every leg that waits is shown by the bank."""
        while of.status in ("pending", "recorded", "approved"):
            self.advance(of)
        for leg in of.legs:
            if leg.status in ("planned", "submitted") and leg.paid:
                self.pay(of, leg)
        if of.status == "settled":
            self.note("settled to the end")

    def waiting(self) -> list[Line]:
        return [each for each in self.disputable() if each.window in self.house.closed]

    @precondition(lambda self: self.waiting())
    @rule(data=st.data(), how=st.sampled_from(["upheld", "rejected", "withdrawn"]))
    def leave_out_and_decide(self, data: st.DataObject, how: str) -> None:
        """A line is frozen, its window is settled, and only then it is decided."""
        line = data.draw(st.sampled_from(self.waiting()))
        self.object(line, line.payer)
        self.to_the_end(self.draft(len(self.house.closed)))
        self.prove()
        self.end(line, how)

    # -- the end ----------------------------------------------------------------------------------

    def prove(self) -> None:
        """Books, caps and proofs agree with the oracle."""
        assert self.run(self.stage.books()) == self.house.books()
        assert self.run(self.stage.used()) == self.house.used()
        assert self.run(self.stage.finance.findings()) == []
        for line in self.world.lines:
            assert len(self.house.holder(line)) <= 1

    def wind_up(self) -> None:
        """Everything is decided, closed and settled: each line in exactly one settlement."""
        for line in self.open_disputes():
            self.end(line, "rejected")
        self.pass_of_clock()
        while of := next(iter(self.of_status("pending", "recorded", "approved")), None):
            self.advance(of)
        self.close()
        if self.house.closed:
            windows = [self.windows[each] for each in self.house.closed]
            settlement_id = self.run(self.stage.draft(windows, bilateral=False))
            made = self.house.draft(len(windows), bilateral=False)
            self.ids[made] = settlement_id
            self.look_at(made)
        assert all(len(self.house.holder(line)) == 1 for line in self.world.lines)
        self.prove()

    def teardown(self) -> None:
        try:
            if self.started is not None:
                self.prove()
                self.wind_up()
        finally:
            self.leave()

    def leave(self) -> None:
        if self.started is not None:
            self.run(self.started.__aexit__(None, None, None))
        self.run(self.opened.__aexit__(None, None, None))
        self.loop.close()
        self.database.__exit__(None, None, None)
