"""Pages: `/partner/issue/files`, points for many people from a file, with progress and faults."""

from __future__ import annotations

import csv
import io
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import NotAllowed
from marketplace.identity.domain import Principal
from marketplace.issuing import files, repository
from marketplace.issuing.domain import Upload, UploadState
from marketplace.issuing.pages import PEOPLE
from marketplace.issuing.words import in_words
from marketplace.web.console import Console
from marketplace.web.i18n import Lazy, speak
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import AnyRequest, Html, Page
from marketplace.web.paging import Cursor, cut_page, decode_cursor

FILES = "/partner/issue/files"
ON_A_PAGE = 20
FAULTS_ON_A_PAGE = 100
EXAMPLE = (
    "reference,participant,points,effective_at,expires_at\n"
    "INVOICE-1001,CUSTOMER-17,250,,\n"
    "INVOICE-1002,CUSTOMER-23,1200,2026-01-31,2028-01-31\n"
)
TITLES = {
    UploadState.RECEIVED: (_l("Being checked"), "told"),
    UploadState.BAD: (_l("Needs correcting"), "bad"),
    UploadState.CHECKED: (_l("Checked, not issued yet"), "care"),
    UploadState.ORDERED: (_l("Being issued"), "told"),
    UploadState.DONE: (_l("Issued"), "good"),
    UploadState.WITHDRAWN: (_l("Withdrawn"), "told"),
    UploadState.FAILED: (_l("Given up"), "bad"),
}
NO_CHANGE = (_l("Changes nothing"), "told")


def title_of(upload: Upload) -> tuple[Lazy, str]:
    """How a file stands, and the tone of that."""
    is_moot = upload.state is UploadState.DONE and upload.changes_nothing
    return NO_CHANGE if is_moot else TITLES[upload.state]


@get(FILES, opt=PEOPLE, include_in_schema=False)
async def show_files(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    cursor: Cursor = None,
) -> Html:
    """Send a file; the files that were sent."""
    if not console.issues:
        return page.render("issuing/not_yours.html")
    return await _files(page, console, session, cursor)


async def _files(
    page: Page,
    console: Console,
    session: AsyncSession,
    cursor: str | None,
    problem: object | None = None,
) -> Html:
    before = decode_cursor(cursor, UUID)
    found = await repository.uploads(session, console.member_id, before=before, limit=ON_A_PAGE + 1)
    listed, following = cut_page(found, ON_A_PAGE, lambda each: each.id)
    return page.render(
        "issuing/files.html",
        status_code=HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
        listed=listed,
        next=following,
        title_of=title_of,
        problem=problem,
        example=EXAMPLE,
    )


@post(
    FILES,
    opt=PEOPLE,
    include_in_schema=False,
    status_code=HTTPStatus.SEE_OTHER,
    request_max_body_size=files.LARGEST_BYTES,
)
async def send_file(
    request: AnyRequest,
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Keep the file; it is checked in the background, and its page says how far that is."""
    if not console.issues:
        raise NotAllowed("No contract in force lets this member issue points.")
    # Not a typed body: where no file was chosen the field is a text, which no type can say.
    sent = (await request.form()).get("file")
    if not isinstance(sent, UploadFile):
        return await _files(page, console, session, None, _l("Choose a file first."))
    try:
        kept = await files.keep(session, principal, console.member_id, sent)
    except files.TooManyUploads:
        problem = _l(
            "So many files wait already: %(most)s. Issue or withdraw some first.",
            most=files.MOST_WAITING,
        )
        return await _files(page, console, session, None, problem)
    finally:
        await sent.close()
    return page.redirect(console.path(f"{FILES}/{kept.id}"))


@get(f"{FILES}/{{upload_id:uuid}}", opt=PEOPLE, include_in_schema=False)
async def show_file(
    upload_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    after: Annotated[int, QueryParameter(ge=0, le=1_000)] = 0,
) -> Html:
    """How a file stands: progress, what it would do or did, what is wrong with it."""
    upload = await files.find(session, console.member_id, upload_id)
    kept = upload.report.bad_lines if upload.report else []
    with speak(page.language, page.now):
        faults = [
            (each.line, in_words(each.reason)) for each in kept[after : after + FAULTS_ON_A_PAGE]
        ]
    context: dict[str, Any] = {
        "upload": upload,
        "title": title_of(upload),
        "faults": faults,
        "after": after,
        "kept": len(kept),
        "step": FAULTS_ON_A_PAGE,
    }
    if page.is_htmx:
        return page.fragment("issuing/_file.html", **context)
    return page.render("issuing/file.html", **context)


@post(f"{FILES}/{{upload_id:uuid}}/issue", opt=PEOPLE, include_in_schema=False, status_code=303)
async def issue_file(
    upload_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Have a checked file written."""
    return await _moved(page, console, session, upload_id, principal)


@post(f"{FILES}/{{upload_id:uuid}}/withdraw", opt=PEOPLE, include_in_schema=False, status_code=303)
async def withdraw_file(
    upload_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Forget a file that is not to be written."""
    return await _moved(page, console, session, upload_id, None)


async def _moved(
    page: Page,
    console: Console,
    session: AsyncSession,
    upload_id: UUID,
    principal: Principal | None,
) -> Html:
    """Ordered by `principal`, withdrawn with None; a file that has moved on is shown as it is."""
    upload = await files.find(session, console.member_id, upload_id)
    address = console.path(f"{FILES}/{upload_id}")
    try:
        if principal is None:
            await files.withdraw(session, upload)
        else:
            await files.order(session, principal, upload)
    except files.UploadMoved:
        notice = _l("The file has moved on meanwhile. This is how it stands now.")
        return page.redirect(address, notice=notice, tone="warning")
    return page.redirect(address)


@get(f"{FILES}/{{upload_id:uuid}}/faults.csv", opt=PEOPLE, include_in_schema=False)
async def download_faults(
    upload_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Response[bytes]:
    """What is wrong, line by line, for a spreadsheet."""
    upload = await files.find(session, console.member_id, upload_id)
    return _csv(_faults(page, upload), f"faults-{upload_id}.csv")


def _faults(page: Page, upload: Upload) -> str:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow([page._("Line"), page._("What is wrong"), page._("What to do")])
    with speak(page.language, page.now):
        for each in upload.report.bad_lines if upload.report else []:
            told = in_words(each.reason)
            table.writerow([each.line, str(told.what), str(told.advice or "")])
    return text.getvalue()


@get("/partner/issue/example.csv", opt=PEOPLE, include_in_schema=False, sync_to_thread=False)
def download_example() -> Response[bytes]:
    """A file to begin with."""
    return _csv(EXAMPLE, "issuances.csv")


def _csv(text: str, name: str) -> Response[bytes]:
    # With a mark, so that spreadsheets see that it is UTF-8; the importer takes it too.
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text.encode("utf-8-sig"), media_type="text/csv", headers=headers)


routes = [
    show_files,
    send_file,
    show_file,
    issue_file,
    withdraw_file,
    download_faults,
    download_example,
]
