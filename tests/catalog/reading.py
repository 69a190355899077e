"""Reads pages as a person does: links, buttons, words."""

from __future__ import annotations

import re
from html import unescape

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://marketplace.test/catalog"}
TAGS = re.compile(r"<[^>]+>")


def words(html: str) -> str:
    """The text of a page or a part of it, blanks made single."""
    return " ".join(unescape(TAGS.sub(" ", html)).split())


def cards(html: str) -> dict[str, str]:
    """The HTML of each result by its slug, in order."""
    found = re.findall(r'<article class="offer.*?</article>', html, re.S)
    return {re.search(r'href="/catalog/([^"]+)"', each)[1]: each for each in found}  # type: ignore[index]


def part(html: str, tag: str, marker: str) -> str:
    """The first element of a kind whose start tag holds the marker, up to its first end tag."""
    found = re.search(rf"<{tag}[^>]*{re.escape(marker)}.*?</{tag}>", html, re.S)
    assert found is not None, f"there is no <{tag} {marker}>"
    return found[0]


def hrefs(html: str) -> list[str]:
    """Where links lead."""
    return [unescape(each) for each in re.findall(r'<a [^>]*?href="([^"]*)"', html)]
