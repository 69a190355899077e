"""What banks say of files they were sent: pain.002, of a leg, a block, a whole file."""

from __future__ import annotations

import pytest
from sepa_samples import read

from marketplace.api import BankAnswer, BatchStatus, InvalidRequest, LegStatus


def report(group: str = "", blocks: str = "") -> str:
    """A status report."""
    return (
        "<Document><CstmrPmtStsRpt><GrpHdr><MsgId>A</MsgId></GrpHdr><OrgnlGrpInfAndSts>"
        f"<OrgnlMsgId>S-1-T</OrgnlMsgId>{group}</OrgnlGrpInfAndSts>{blocks}</CstmrPmtStsRpt>"
        "</Document>"
    )


def reason(code: str, words: str = "") -> str:
    """Why."""
    more = f"<AddtlInf>{words}</AddtlInf>" if words else ""
    return f"<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn>{more}</StsRsnInf>"


def block(inside: str) -> str:
    """A block of payments."""
    return f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>P-1</OrgnlPmtInfId>{inside}</OrgnlPmtInfAndSts>"


def leg(reference: str, status: str = "", why: str = "") -> str:
    """A transaction."""
    own = f"<TxSts>{status}</TxSts>" if status else ""
    return f"<TxInfAndSts><OrgnlEndToEndId>{reference}</OrgnlEndToEndId>{own}{why}</TxInfAndSts>"


def test_single_legs_are_refused_beside_others_that_are_taken() -> None:
    parts = leg("L-1", "RJCT", reason("AC04", "closed")) + leg("L-2", "ACSP") + leg("L-3", "PDNG")
    group, *legs = read(report("<GrpSts>PART</GrpSts>", block(parts)))
    assert isinstance(group, BatchStatus)
    assert (group.original_message_id, group.state) == ("S-1-T", BankAnswer.PARTIAL)
    first, second, third = legs
    assert first == LegStatus(
        reference="L-1",
        original_message_id="S-1-T",
        payment_information_id="P-1",
        state=BankAnswer.REJECTED,
        status="RJCT",
        code="AC04",
        text="closed",
        line=1,
    )
    assert isinstance(second, LegStatus)
    assert isinstance(third, LegStatus)
    assert (second.state, third.state) == (BankAnswer.ACCEPTED, BankAnswer.PENDING)


def test_a_whole_file_and_a_block_are_refused() -> None:
    (whole,) = read(report("<GrpSts>RJCT</GrpSts>" + reason("FF01", "no XML")))
    assert isinstance(whole, BatchStatus)
    assert (whole.payment_information_id, whole.code, whole.text) == ("", "FF01", "no XML")
    (part,) = read(report("", block("<PmtInfSts>RJCT</PmtInfSts>" + reason("AC01"))))
    assert isinstance(part, BatchStatus)
    assert (part.payment_information_id, part.state) == ("P-1", BankAnswer.REJECTED)


def test_a_block_that_gives_a_reason_alone_fares_as_the_whole_file() -> None:
    (whole,) = read(report("<GrpSts>RJCT</GrpSts>", block(reason("AC04"))))
    assert isinstance(whole, BatchStatus)
    assert (whole.state, whole.payment_information_id) == (BankAnswer.REJECTED, "")
    _, alone = read(report("<GrpSts>PART</GrpSts>", block(reason("AC04"))))
    assert isinstance(alone, BatchStatus)
    assert (alone.state, alone.code) == (BankAnswer.UNKNOWN, "AC04")


def test_a_leg_that_does_not_say_how_it_fares_does_as_its_block() -> None:
    refused = "<PmtInfSts>RJCT</PmtInfSts>" + reason("AC01")
    _, found = read(report("", block(refused + leg("L-1", why=reason("MS03")))))
    assert isinstance(found, LegStatus)
    assert (found.state, found.code) == (BankAnswer.REJECTED, "MS03")
    _, found = read(report("<GrpSts>RJCT</GrpSts>" + reason("FF01"), block(leg("L-1"))))
    assert isinstance(found, LegStatus)
    assert (found.state, found.code) == (BankAnswer.REJECTED, "FF01")


@pytest.mark.parametrize(
    ("written", "state"),
    [
        *[(each, BankAnswer.ACCEPTED) for each in ("ACCP", "ACWC", "ACWP", "ACFC", "ACCC", "acsp")],
        *[(each, BankAnswer.PENDING) for each in ("RCVD", "PDNG", "PATC", "Pdng")],
        *[(each, BankAnswer.REJECTED) for each in ("RJCT", "CANC", "rjct")],
        *[(each, BankAnswer.UNKNOWN) for each in ("MAYBE", "PART", "ÜBER")],
    ],
)
def test_what_the_statuses_of_a_leg_mean(written: str, state: BankAnswer) -> None:
    (found,) = read(report("", block(leg("L-1", written))))
    assert isinstance(found, LegStatus)
    assert (found.state, found.status) == (state, written)


def test_a_status_that_nobody_knows_loses_nothing_of_the_rest() -> None:
    group = "<GrpSts>SOSO</GrpSts>" + reason("XT99", "ask us")
    own = "<PmtInfSts><Prtry>OWN-7</Prtry></PmtInfSts>"
    legs = leg("L-1", "MAYBE", reason("AB12", "wait")) + leg("L-2", "RJCT") + leg("L-3")
    whole, part, first, second, third = read(report(group, block(own + legs)))
    assert isinstance(whole, BatchStatus)
    assert isinstance(part, BatchStatus)
    assert (whole.state, whole.status, whole.code) == (BankAnswer.UNKNOWN, "SOSO", "XT99")
    assert (part.state, part.status) == (BankAnswer.UNKNOWN, "OWN-7")
    assert isinstance(first, LegStatus)
    assert (first.state, first.status, first.code, first.text) == (
        BankAnswer.UNKNOWN,
        "MAYBE",
        "AB12",
        "wait",
    )
    assert isinstance(second, LegStatus)
    assert second.state is BankAnswer.REJECTED
    # It says nothing of its own, so it fares as its block does: nobody knows how.
    assert isinstance(third, LegStatus)
    assert (third.state, third.status) == (BankAnswer.UNKNOWN, "OWN-7")


def test_a_leg_without_a_status_is_not_known_where_legs_fare_differently() -> None:
    for group in ("<GrpSts>PART</GrpSts>", ""):
        *_, found = read(report(group, block(leg("L-1", why=reason("AC04")))))
        assert isinstance(found, LegStatus)
        assert (found.state, found.code) == (BankAnswer.UNKNOWN, "AC04")
    (alone,) = read(report(reason("FF05")))
    assert isinstance(alone, BatchStatus)
    assert (alone.state, alone.status, alone.code) == (BankAnswer.UNKNOWN, "", "FF05")


def test_a_report_that_is_cut_off_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="broken"):
        read(report("", block(leg("L-1", "MAYBE")))[:-30])


def test_two_blocks_keep_their_own_ids() -> None:
    other = block(leg("L-2", "ACSP")).replace("P-1", "P-2")
    found = read(report("", block(leg("L-1", "RJCT")) + other))
    assert [e.payment_information_id for e in found if isinstance(e, LegStatus)] == ["P-1", "P-2"]
