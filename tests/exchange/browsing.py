"""A participant with a browser that runs no scripts: reads pages, sends their forms."""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.conftest import Headers

Fields = dict[str, str]


class FormReader(HTMLParser):
    """The forms of a page that post: (action, fields); fields placed by `form=` included."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, Fields]] = []
        self._by_id: dict[str, Fields] = {}
        self._inside: Fields | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if tag == "form":
            self._inside = {}
            if given.get("method") == "post":
                self.forms.append((given.get("action", ""), self._inside))
            self._by_id[given.get("id", "")] = self._inside
        elif tag == "input" and "name" in given:
            target = self._by_id.get(given["form"]) if "form" in given else self._inside
            is_choice = given.get("type") in ("radio", "checkbox")
            if target is not None and (not is_choice or "checked" in given):
                target[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = None


class TextReader(HTMLParser):
    """What a page says."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.said += data.split()


class Browser:
    """One person's browser."""

    def __init__(self, client: httpx.AsyncClient, who: Headers) -> None:
        self.client = client
        self.who = {**who, "Accept": "text/html"}
        self.page: httpx.Response | None = None

    async def open(self, address: str, status: int = 200) -> str:
        """Look at a page; returns what it says."""
        return self._keep(await self.client.get(address, headers=self.who), status)

    async def send(self, action: str, status: int = 303, **fields: Any) -> str:
        """Send the form of this page that goes to `action`, with some fields filled in.

        Follows a redirect; returns what the page then says.
        """
        answer = await self.post(action, **{**self.form(action), **fields})
        assert answer.status_code == status, (answer.status_code, words_of(answer))
        if status == 303:
            return await self.open(answer.headers["location"])
        return self._keep(answer, status)

    async def post(self, action: str, **fields: Any) -> httpx.Response:
        """Send a form as it stands, without following."""
        return await self.client.post(action, data=fields, headers=self.who)

    def form(self, action: str) -> Fields:
        """The fields of this page's form that goes to `action`."""
        assert self.page is not None
        found = [fields for where, fields in FormReader(self.page.text).forms if where == action]
        assert found, f"no form goes to {action}: {FormReader(self.page.text).forms}"
        return found[0]

    def has(self, action: str) -> bool:
        """Whether this page has a form that goes to `action`."""
        assert self.page is not None
        return any(where == action for where, _ in FormReader(self.page.text).forms)

    @property
    def html(self) -> str:
        """This page as it was sent."""
        assert self.page is not None
        return self.page.text

    @property
    def address(self) -> str:
        """Path of this page."""
        assert self.page is not None
        return self.page.url.path

    def _keep(self, answer: httpx.Response, status: int) -> str:
        assert answer.status_code == status, (answer.status_code, words_of(answer))
        self.page = answer
        return words_of(answer)


def words_of(answer: httpx.Response) -> str:
    """What a page says, in one line."""
    return unescape(" ".join(TextReader(answer.text).said))
