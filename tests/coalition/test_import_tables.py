"""An operator sets up a coalition from files, and imports them again without fear."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from marketplace.coalition.models import Contract, Firm, Member, Participant
from marketplace.exchange.models import Offer, OfferStock
from marketplace.identity.models import AuditEntry
from marketplace.ledger.models import Wallet
from marketplace.runtime import Runtime
from tests.coalition.files import faults, load
from tests.factories import Coalition

GOOD = {
    "members": ["hub,Hub,NL,yes", "mill,Mühle & Söhne,DE,", 'inn,"Inn, the",AT,no'],
    "contracts": [
        "C1,mill,issuer,issuance,EUR,0.008,150,shared,1000.50,365,2020-01-01,2099-01-01T00:00:00Z",
        "C2,mill,both,redemption,EUR,0.0085,,,,,2099-01-01,",
        "C3,inn,acceptor,redemption,CHF,1,,,,,2020-01-01T02:00:00+02:00,",
    ],
    "firms": ["F1,Firm One,DE,mill,yes", "F2,Firm Two,FR,,"],
    "participants": ["P1,F1,Ann,ann@one.example,buyer,de-AT", "P2,F2,Bob,,site_manager,"],
    "offers": [
        "O1,gift,Card,inn,giftfund,CARD-10,1000,7.50,EUR,5,2,on_sale,,,,,",
        "O2,seat,Talk,inn,conference,T1,1,0,EUR,,,announced,2026-01-01,2026-02-01,"
        "buyer;fitter,DE; AT,F1",
    ],
}


async def rows(runtime: Runtime, model: Any) -> list[Any]:
    """All rows of a table."""
    async with runtime.database.begin() as session:
        return list(await session.scalars(sa.select(model)))


async def one(runtime: Runtime, model: Any, **where: Any) -> Any:
    """The one row of a table with these values."""
    async with runtime.database.begin() as session:
        return (await session.scalars(sa.select(model).filter_by(**where))).one()


async def load_all(runtime: Runtime) -> None:
    """Import all good files."""
    for kind, lines in GOOD.items():
        assert faultless(await load(runtime, kind, *lines)) == (len(lines), 0)


def faultless(report: Any) -> tuple[int, int]:
    """(new, unchanged) of a report without bad lines."""
    assert report.ok, report.bad_lines
    return report.new, report.unchanged


async def test_a_coalition_from_files(runtime: Runtime) -> None:
    await load_all(runtime)
    mill = await one(runtime, Member, slug="mill")
    assert (mill.name, mill.country, mill.is_operator) == ("Mühle & Söhne", "DE", False)
    assert (await one(runtime, Member, slug="inn")).name == "Inn, the"
    assert (await one(runtime, Member, is_operator=True)).slug == "hub"

    first = await one(runtime, Contract, reference="C1")
    assert (first.price_micros, first.fee_bps, first.exposure_cap_micros) == (
        8_000,
        150,
        1_000_500_000,
    )
    assert (first.points_valid_days, first.valid_from) == (365, datetime(2020, 1, 1, tzinfo=UTC))
    second = await one(runtime, Contract, reference="C2")
    assert (second.price_micros, second.fee_bps, second.breakage, second.valid_to) == (
        8_500,
        0,
        "operator",
        None,
    )
    third = await one(runtime, Contract, reference="C3")
    assert third.valid_from == datetime(2020, 1, 1, tzinfo=UTC)

    firm = await one(runtime, Firm, reference="F1")
    ann = await one(runtime, Participant, reference="P1")
    assert (ann.firm_id, ann.locale, ann.email) == (firm.id, "de-AT", "ann@one.example")
    assert (await one(runtime, Participant, reference="P2")).locale == "en"
    pool = await one(runtime, Wallet, firm_id=firm.id)
    own = await one(runtime, Wallet, participant_id=ann.id)
    assert pool.sponsor_id == own.sponsor_id == mill.id
    assert len(await rows(runtime, Wallet)) == 3

    card = await one(runtime, Offer, reference="O1")
    assert (card.points, card.cost_micros, card.limit_per_wallet) == (1_000, 7_500_000, 2)
    assert [(s.offer_id, s.remaining) for s in await rows(runtime, OfferStock)] == [(card.id, 5)]
    talk = await one(runtime, Offer, reference="O2")
    assert talk.eligibility == {
        "roles": ["buyer", "fitter"],
        "countries": ["DE", "AT"],
        "firms": ["F1"],
    }
    trail = await rows(runtime, AuditEntry)
    actions = [entry.action for entry in trail if entry.subject_kind == "import"]
    assert actions == [f"import.{kind}" for kind in GOOD]


async def test_importing_twice_changes_nothing_and_says_so(runtime: Runtime) -> None:
    await load_all(runtime)
    for kind, lines in GOOD.items():
        report = await load(runtime, kind, *lines)
        assert report.lines() == [f"{kind}: 0 new, {len(lines)} unchanged"]
    assert len(await rows(runtime, Wallet)) == 3


async def test_a_dry_run_checks_and_writes_nothing(runtime: Runtime) -> None:
    report = await load(runtime, "members", *GOOD["members"], dry_run=True)
    assert report.lines() == ["members: 3 new, 0 unchanged (dry run: nothing was written)"]
    assert await rows(runtime, Member) == []


CHANGED = {
    "members": ("hub,Hub,DE,yes", "slug 'hub' was imported before with another country"),
    "contracts": (
        "C2,mill,both,redemption,EUR,0.0086,,,,,2099-01-01,",
        "reference 'C2' was imported before with another price_per_point; "
        "changed terms need a later valid_from",
    ),
    "firms": ("F2,Firm Two,FR,,yes", "reference 'F2' was imported before with another pool"),
    "participants": (
        "P2,F1,Bob,,site_manager,",
        "reference 'P2' was imported before with another firm",
    ),
    "offers": (
        "O1,gift,Card,inn,giftfund,CARD-10,1000,7.51,EUR,5,2,on_sale,,,,,",
        "reference 'O1' was imported before with another cost",
    ),
}


@pytest.mark.parametrize("kind", CHANGED)
async def test_a_reference_with_other_content_is_an_error(runtime: Runtime, kind: str) -> None:
    await load_all(runtime)
    line, reason = CHANGED[kind]
    assert faults(await load(runtime, kind, line)) == [(2, reason)]


async def test_a_reference_twice_in_a_file_is_an_error_whatever_it_says(runtime: Runtime) -> None:
    await load_all(runtime)
    for kind, lines in GOOD.items():
        ((line, reason),) = faults(await load(runtime, kind, lines[0], lines[1], lines[0]))
        assert line == 4
        assert reason.endswith("is on line 2 already")


async def test_stock_sold_since_is_no_change(runtime: Runtime, owner: Any) -> None:
    await load_all(runtime)
    async with runtime.database.begin() as session:
        await session.execute(sa.update(OfferStock).values(remaining=3))
    assert faultless(await load(runtime, "offers", *GOOD["offers"])) == (0, 2)
    assert [stock.remaining for stock in await rows(runtime, OfferStock)] == [3]


BAD = [
    ("members", "Hub,Hub,NL,", "slug 'Hub' is not a name of lower case letters, digits and dashes"),
    ("members", "hub,Hub,XX,", "country 'XX' is not an ISO 3166 country code such as DE"),
    ("members", "hub,Hub,NL,perhaps", "operator 'perhaps' is not one of yes, no"),
    ("members", "hub,,NL,", "name is empty"),
    ("members", "hub,Hub,NL", "3 values for 4 columns"),
    ("members", "hub,Hub,NL,,", "5 values for 4 columns"),
    ("members", 'hub,Hu"b"," N"L,', "the line is not CSV: ',' expected after '\"'"),
    ("members", "two,Two,NL,yes", "the coalition has an operator already: operator"),
    (
        "contracts",
        "X,nobody,both,redemption,EUR,0.008,,,,,2000-01-01,2000-02-01",
        "there is no member 'nobody'; import members first",
    ),
    (
        "contracts",
        "X,alpha,both,redemption,EUR,0.008,,,,,2019-01-01,2020-01-02",
        "alpha would have two contracts in force: this one and 'C-alpha'",
    ),
    (
        "contracts",
        "X,alpha,both,redemption,EUR,0.008,,,,,2019-01-01,2019-01-01",
        "valid_to is not after valid_from",
    ),
    (
        "contracts",
        "X,alpha,owner,redemption,EUR,0.008,,,,,2019-01-01,2020-01-01",
        "role 'owner' is not one of issuer, acceptor, both",
    ),
    (
        "contracts",
        "X,alpha,both,redemption,EURO,0.008,,,,,2019-01-01,2020-01-01",
        "currency 'EURO' is not an ISO 4217 currency code such as EUR",
    ),
    (
        "contracts",
        "X,alpha,both,redemption,EUR,0.008,10001,,,,2019-01-01,2020-01-01",
        "fee_bps '10001' is not basis points, a whole number from 0 to 10,000",
    ),
    (
        "contracts",
        "X,alpha,both,redemption,EUR,0.008,,,,,2019-02-30,2020-01-01",
        "valid_from '2019-02-30' is not a date or time such as 2026-01-31 or "
        "2026-01-31T12:00:00Z, from 1970 to 9000",
    ),
    ("firms", "X,X,DE,nobody,", "there is no member 'nobody'; import members first"),
    ("participants", "X,nowhere,X,,buyer,", "there is no firm 'nowhere'; import firms first"),
    ("participants", "X,acme,X,mail,buyer,", "email 'mail' is not an e-mail address"),
    (
        "participants",
        "X,acme, X,,buyer,",
        "name ' X' is not one line of at most 200 visible characters without blanks around it",
    ),
    (
        "offers",
        "X,gift,X,nobody,giftfund,X,1,1,EUR,,,on_sale,,,,,",
        "there is no member 'nobody'; import members first",
    ),
    (
        "offers",
        "X,gift,X,shop,giftfund,X,0,1,EUR,,,on_sale,,,,,",
        "points '0' is not a whole number from 1 to 1,000,000,000,000",
    ),
    (
        "offers",
        "X,gift,X,shop,giftfund,X,1,-1,EUR,,,on_sale,,,,,",
        "cost '-1' is not an amount in currency units such as 17.50, with at most six decimals",
    ),
    (
        "offers",
        "X,gift,X,shop,giftfund,X,1,1,EUR,,,on_sale,2026-02-01,2026-01-01,,,",
        "ends_at is not after starts_at",
    ),
    (
        "offers",
        "X,gift,X,shop,giftfund,X,1,1,EUR,,,on_sale,,,,,acme;nowhere",
        "there is no firm 'nowhere'; import firms first",
    ),
]


@pytest.mark.parametrize(("kind", "line", "reason"), BAD)
async def test_a_bad_line_is_named_with_its_reason(
    coalition: Coalition, kind: str, line: str, reason: str
) -> None:
    assert faults(await load(coalition.runtime, kind, line)) == [(2, reason)]


@pytest.mark.parametrize("price", ["0", "0,008", "1e-3", "0.0000001", "-1", "NaN", "1000001", "٣"])
async def test_a_bad_price_is_refused(coalition: Coalition, price: str) -> None:
    line = f'X,alpha,both,redemption,EUR,"{price}",,,,,2019-01-01,2020-01-01'
    ((number, reason),) = faults(await load(coalition.runtime, "contracts", line))
    assert (number, reason.partition(" is not ")[0]) == (2, f"price_per_point {price!r}")


async def test_contracts_may_follow_each_other_but_not_overlap_within_a_file(
    coalition: Coalition,
) -> None:
    rest = "both,redemption,EUR,0.008,,,,"
    good = [f"A,alpha,{rest},2018-01-01,2019-01-01", f"B,alpha,{rest},2019-01-01,2020-01-01"]
    bad = f"C,alpha,{rest},2018-06-01,2018-07-01"
    assert faults(await load(coalition.runtime, "contracts", *good, bad)) == [
        (4, "alpha would have two contracts in force: this one and 'A'")
    ]
    assert faultless(await load(coalition.runtime, "contracts", *good)) == (2, 0)


async def test_an_offer_needs_a_contract_that_accepts(coalition: Coalition) -> None:
    from marketplace.coalition.domain import ContractRole

    ended = datetime(2021, 1, 1, tzinfo=UTC)
    await coalition.add_member("mint", role=ContractRole.ISSUER)
    await coalition.add_member("gone", role=ContractRole.BOTH, valid_to=ended)
    lines = [f"{slug},gift,X,{slug},giftfund,X,1,1,EUR,,,on_sale,,,,," for slug in ("mint", "gone")]
    assert faults(await load(coalition.runtime, "offers", *lines)) == [
        (2, "mint has no contract in force that lets it accept points"),
        (3, "gone has no contract in force that lets it accept points"),
    ]


async def test_one_bad_line_among_many_keeps_everything_out(coalition: Coalition) -> None:
    lines = [f"P{number},acme,Name,,buyer," for number in range(12_000)]
    lines[7_000] = "bad,acme,Name,,Buyer,"
    lines[11_000] = "P1,acme,Name,,buyer,"
    lines[11_001] = "X,nowhere,Name,,buyer,"
    report = await load(coalition.runtime, "participants", *lines)
    assert [line for line, _ in faults(report)] == [7_002, 11_002, 11_003]
    assert (report.new, report.unchanged, report.bad) == (0, 0, 3)
    assert len(await rows(coalition.runtime, Participant)) == 2


async def test_many_bad_lines_are_counted_and_the_first_are_named(runtime: Runtime) -> None:
    report = await load(runtime, "firms", *(f"F{number},X,XX,," for number in range(2_000)))
    lines = report.lines()
    assert (report.bad, len(report.bad_lines), len(lines)) == (2_000, 1_000, 102)
    assert lines[0] == "line 2: country 'XX' is not an ISO 3166 country code such as DE"
    assert lines[-2:] == ["and 1,900 more", "firms: nothing was imported; 2,000 faults"]


async def test_part_of_a_callers_transaction(runtime: Runtime) -> None:
    async with runtime.database.begin() as session:
        assert (await load(session, "members", "hub,Hub,NL,yes")).new == 1
        assert not (await load(session, "members", "sun,Sun,NL,", "hub,Other,NL,")).ok
        assert (await load(session, "firms", "F,F,NL,hub,")).new == 1
    assert [member.slug for member in await rows(runtime, Member)] == ["hub"]
    assert len(await rows(runtime, Firm)) == 1
