"""Adding people: each role needs what it acts for."""

from __future__ import annotations

from typing import Any

import pytest

from marketplace.errors import InvalidRequest, NotFound
from marketplace.identity import people
from marketplace.identity.domain import Role
from marketplace.identity.errors import PersonExists
from tests.factories import Coalition

PASSWORD = "a good password"


async def add(coalition: Coalition, *roles: Role, email: str = "x@y.example", **of: Any) -> None:
    new = people.NewPerson(email=email, name="X", roles=frozenset(roles), **of)
    async with coalition.runtime.database.begin() as session:
        await people.add_person(session, "test", new, password=PASSWORD)


async def test_each_role_with_what_it_needs(coalition: Coalition) -> None:
    await add(coalition, Role.PARTICIPANT, email="1@y.example", participant="P-ann")
    await add(coalition, Role.FIRM_MANAGER, email="2@y.example", firm="acme")
    both = {"participant": "P-bob", "firm": "acme"}
    await add(coalition, Role.PARTICIPANT, Role.FIRM_MANAGER, email="3@y.example", **both)
    await add(coalition, Role.PARTNER, email="4@y.example", member="shop")
    await add(coalition, Role.FINANCE, Role.OPERATOR, email="5@y.example", member="operator")


@pytest.mark.parametrize(
    ("roles", "of", "words"),
    [
        ([], {}, "needs a role"),
        ([Role.PARTICIPANT], {}, "needs a participant"),
        ([Role.PARTNER], {}, "needs a member"),
        ([Role.PARTNER], {"member": "shop", "firm": "acme"}, "needs no firm"),
        ([Role.PARTICIPANT, Role.OPERATOR], {"participant": "P-ann"}, "two people"),
        ([Role.OPERATOR], {"member": "shop"}, "operator member"),
        ([Role.FINANCE], {"member": "alpha"}, "operator member"),
    ],
)
async def test_roles_that_do_not_fit_are_refused(
    roles: list[Role], of: dict[str, str], words: str, coalition: Coalition
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        await add(coalition, *roles, **of)


async def test_unknown_references_and_second_people_are_refused(coalition: Coalition) -> None:
    with pytest.raises(NotFound, match="P-nobody"):
        await add(coalition, Role.PARTICIPANT, participant="P-nobody")
    await add(coalition, Role.PARTNER, member="shop")
    with pytest.raises(PersonExists):
        await add(coalition, Role.PARTNER, email="X@Y.example", member="shop")


async def test_a_short_password_is_refused(coalition: Coalition) -> None:
    new = people.NewPerson(
        email="x@y.example", name="X", roles=frozenset({Role.PARTNER}), member="shop"
    )
    with pytest.raises(InvalidRequest, match="10 to 200"):
        async with coalition.runtime.database.begin() as session:
            await people.add_person(session, "test", new, password="short")
