"""Any text in the characters that every bank in SEPA takes.

Our own tables, not a package's: a file that is made again must be the same, so they never change.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

ALLOWED: Final = re.compile(r"[A-Za-z0-9/?:().,'+ -]")
MARKS: Final = {
    **dict.fromkeys('\u2018\u2019\u201a\u201b\u2032`\u00b4\u201c\u201d\u201e\u00ab\u00bb"', "'"),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212_~=", "-"),
    **dict.fromkeys("[{<", "("),
    **dict.fromkeys("]}>", ")"),
    **dict.fromkeys("\\|", "/"),
    **dict.fromkeys("*#%$^;!\u2026", "."),
    "&": "+",
    "@": "(at)",
    "\u20ac": "EUR",
    "\u2116": "No",
}
LETTERS: Final = (
    ("\u00e6\u0153\u00f8\u00df\u0142\u0111\u00f0\u00fe\u0131\u014b\u0127\u0167\u0138\u0259"),
    "ae,oe,o,ss,l,d,d,th,i,n,h,t,k,a",
)
CYRILLIC: Final = (
    "\u0430\u0431\u0432\u0433\u0434\u0435\u0436\u0437\u0438\u0439\u043a\u043b\u043c\u043d\u043e"
    "\u043f\u0440\u0441\u0442\u0443\u0444\u0445\u0446\u0447\u0448\u0449\u044a\u044b\u044c\u044d"
    "\u044e\u044f\u0451\u0454\u0456\u0457\u0491\u045e\u0458\u0459\u045a\u0452\u045b\u045f\u0455",
    "a,b,v,g,d,e,zh,z,i,i,k,l,m,n,o,p,r,s,t,u,f,kh,ts,ch,sh,shch,,y,,e,yu,ya,e,ie,i,i,g,u,j,lj,"
    "nj,dj,c,dz,dz",
)
GREEK: Final = (
    "\u03b1\u03b2\u03b3\u03b4\u03b5\u03b6\u03b7\u03b8\u03b9\u03ba\u03bb\u03bc\u03bd\u03be\u03bf"
    "\u03c0\u03c1\u03c2\u03c3\u03c4\u03c5\u03c6\u03c7\u03c8\u03c9",
    "a,v,g,d,e,z,i,th,i,k,l,m,n,x,o,p,r,s,s,t,y,f,ch,ps,o",
)
"""Small letters, and what each is written as."""
TABLE: Final = {
    letter: written
    for letters, words in (LETTERS, CYRILLIC, GREEK)
    for letter, written in zip(letters, words.split(","), strict=True)
}
OTHER: Final = "."


def latin(text: str, most: int) -> str:
    """The text in Latin letters, digits and `/ - ? : ( ) . , ' +`, `most` characters at most.

    Letters lose their accents, Cyrillic and Greek ones are transliterated, what is left over
    becomes a dot. Words stay words: runs of spaces and control characters are one space.
    """
    written = "".join(map(_letter, unicodedata.normalize("NFC", text)))
    # Lines that begin with these mean something else in the messages between banks.
    return " ".join(written.split()).lstrip("/:- ")[:most].rstrip()


def _letter(letter: str) -> str:
    if ALLOWED.fullmatch(letter):
        return letter
    if letter.isspace() or unicodedata.category(letter).startswith("C"):
        return " "
    if letter in MARKS:
        return MARKS[letter]
    known = _from_table(letter)
    if known is not None:
        return known
    plain = [c for c in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(c)]
    written = "".join(
        each if ALLOWED.fullmatch(each) else MARKS.get(each, _from_table(each) or "")
        for each in plain
    )
    return written or OTHER


def _from_table(letter: str) -> str | None:
    small = letter.lower()
    found = TABLE.get(small)
    if found is None or small == letter:
        return found
    return found[:1].upper() + found[1:]
