"""Statements and traces over HTTP, below /v1/settlement."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import InvalidRequest, NotFound
from marketplace.house_key import ALGORITHM, signing_key
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import Accepts, choose_language
from settlement.statements import records, service, tracing
from settlement.statements.delivery import MEDIA_TYPES, Form, ready
from settlement.statements.domain import Reader
from settlement.statements.schemas import HouseKeyView, Statements, view
from settlement.statements.service import Subject
from settlement.statements.tracing import Trace

ALL_SEEING = frozenset({Role.FINANCE, Role.OPERATOR})
READ = access(roles=[*ALL_SEEING, Role.PARTNER], scope=Scope.SETTLEMENT_READ)
TAGS = ["settlement"]
Locale = Annotated[
    str | None, QueryParameter(max_length=20, description="Language; else Accept-Language.")
]
OTHERS = "There is no such statement, or it is not yours to see."


def sees_all(principal: Principal) -> bool:
    """Whether statements of every member are this caller's to see."""
    return principal.is_operator or not ALL_SEEING.isdisjoint(principal.roles)


async def _reader(session: AsyncSession, principal: Principal, slug: str) -> Reader:
    """The member of this slug; NotFound unless it is the caller's own, or all are its to see."""
    if sees_all(principal):
        return await service.reader_of(session, slug)
    try:
        reader = await service.reader_of(session, slug)
    except NotFound:
        raise NotFound(OTHERS) from None
    if reader.id != principal.member_id:
        raise NotFound(OTHERS)
    return reader


async def _answer(
    session: AsyncSession,
    runtime: Runtime,
    principal: Principal,
    subject: Subject,
    reader: Reader,
    form: Form,
    language: str,
) -> Stream:
    pieces = await ready(
        session,
        runtime.settings,
        subject,
        reader,
        form,
        language=language,
        actor=principal.actor,
    )
    name = f"statement-{reader.slug}-{subject.reference}.{form}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-store",
    }
    return Stream(pieces, media_type=MEDIA_TYPES[form], headers=headers)


def _asked(file: str) -> tuple[str, Form]:
    """Slug and form of `alpha.csv`."""
    slug, _, ending = file.rpartition(".")
    form = next((each for each in Form if each.value == ending), None)
    if not slug or form is None:
        raise NotFound("A statement is asked for as MEMBER.pdf, MEMBER.csv or MEMBER.json.")
    return slug, form


@get(
    "/windows/{window_id:uuid}/statements/{file:str}",
    opt=READ,
    tags=TAGS,
    summary="Download a member's statement of a window",
)
async def window_statement(
    window_id: FromPath[UUID],
    file: FromPath[str],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    accept: Accepts = "",
    locale: Locale = None,
) -> Stream:
    """`file` is `<member>.json` (signed, for `marketplace statement verify`), `.csv` or `.pdf`.

    The window must be closed. The same again is the same to the byte (of the PDF: until a payment
    goes on).
    """
    slug, form = _asked(file)
    reader = await _reader(session, principal, slug)
    subject = await service.of_window(session, window_id)
    language = choose_language(locale, accept=accept)
    return await _answer(session, runtime, principal, subject, reader, form, language)


@get(
    "/settlements/{reference:str}/statements/{file:str}",
    opt=READ,
    tags=TAGS,
    summary="Download a member's statement of a settlement",
)
async def settlement_statement(
    reference: FromPath[str],
    file: FromPath[str],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    accept: Accepts = "",
    locale: Locale = None,
) -> Stream:
    """As of a window, with the legs; the settlement must be recorded."""
    slug, form = _asked(file)
    reader = await _reader(session, principal, slug)
    subject = await service.of_settlement(session, reference)
    language = choose_language(locale, accept=accept)
    return await _answer(session, runtime, principal, subject, reader, form, language)


@get("/statements", opt=READ, tags=TAGS, summary="List statements that were issued")
async def list_statements(
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    member: Annotated[
        str | None, QueryParameter(max_length=100, description="Slug; absent: one's own.")
    ] = None,
) -> Statements:
    """Statements of one member, newest first, each with its place in the chain."""
    if member is not None:
        member_id = (await _reader(session, principal, member)).id
    elif principal.member_id is not None:
        member_id = principal.member_id
    else:
        raise InvalidRequest("Name the member: you work for none.")
    return Statements([view(row) for row in await service.issued(session, member_id)])


@get("/statement-key", opt=READ, tags=TAGS, summary="Read the key that signs statements")
async def statement_key(runtime: NamedDependency[Runtime]) -> HouseKeyView:
    """The public key, for `marketplace statement verify --key`."""
    key = signing_key(runtime.settings, records.PURPOSE)
    return HouseKeyView(ALGORITHM, key.public_text)


@get("/trace/{line:str}", opt=READ, tags=TAGS, summary="Trace a line or burn to the bank")
async def trace_line(
    line: FromPath[str],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Trace:
    """From an obligation to burn, lot, issuance, contract, window, settlement, leg and bank entry.

    `line` is `<wallet>:<id>`, `debt:<id>`, or the id of a burn. A member sees its own lines, and of
    them its own side.
    """
    member_id = None if sees_all(principal) else principal.member_id
    if member_id is None and not sees_all(principal):
        raise NotFound(tracing.NOTHING)
    return await tracing.trace(session, line, member_id=member_id)


ROUTES = [window_statement, settlement_statement, list_statements, statement_key, trace_line]
