"""Text in XML documents: what must be escaped is, what XML cannot hold is dropped and counted. Knows no elements."""

import re
from collections.abc import Iterable
from typing import Final

_SPECIAL: Final = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Everything outside the Char of XML 1.0 (2.2)."""
# a raw carriage return would reach the reader as a line feed (2.11)
_REFERENCES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


class Escaper:
    """Escapes the texts of one document; `dropped` counts the characters that XML cannot hold."""

    def __init__(self) -> None:
        self.dropped = 0

    def text(self, text: str) -> str:
        """Return a text as the content of an element."""
        if _SPECIAL.search(text) is None:
            return text
        text, dropped = _FORBIDDEN.subn("", text)
        self.dropped += dropped
        return text.translate(_REFERENCES)

    def is_plain(self, rows: Iterable[Iterable[str]]) -> bool:
        """Tell at one look, a tenth as long as the search for special characters, that there are none in any text."""
        joined = "".join(["".join(row) for row in rows])
        return joined.isprintable() and not ("&" in joined or "<" in joined or ">" in joined)
