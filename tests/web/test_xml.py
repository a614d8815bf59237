from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.web.xml import Escaper

FORBIDDEN = [*map(chr, (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0xFFFE, 0xFFFF, 0xD800, 0xDFFF))]
ALLOWED = st.characters(codec="utf-8", exclude_characters=FORBIDDEN, exclude_categories=["Cs"])
"""The Char of XML 1.0 (2.2)."""
MARKUP = st.sampled_from(
    ["]]>", "&amp;", "<!--", "</a>", "&#0;", "\r\n", "\r", "\t", '"', "'", "<![CDATA[", "\u0085", "\u2028"]
)
TEXT = st.lists(st.text(ALLOWED) | MARKUP).map("".join)


def read(escaped: str) -> str:
    """What a real parser makes of it."""
    return ET.fromstring(f"<a>{escaped}</a>".encode()).text or ""  # noqa: S314 -- our own


@given(TEXT)
def test_every_text_that_xml_allows_survives(text: str) -> None:
    escaper = Escaper()
    assert read(escaper.text(text)) == text
    assert escaper.dropped == 0


@given(st.lists(st.sampled_from(FORBIDDEN) | ALLOWED))
def test_what_xml_cannot_hold_is_dropped_and_counted(characters: list[str]) -> None:
    escaper = Escaper()
    kept = "".join(character for character in characters if character not in FORBIDDEN)
    assert read(escaper.text("".join(characters))) == kept
    assert escaper.dropped == len(characters) - len(kept)


def test_every_single_character_is_kept_or_dropped_as_xml_says() -> None:
    for start in range(0, 0x110000, 0x1000):
        characters = [chr(number) for number in range(start, start + 0x1000)]
        escaper = Escaper()
        wanted = "".join(each for each in characters if each not in FORBIDDEN and not 0xD800 <= ord(each) < 0xE000)
        assert read(escaper.text("".join(characters))) == wanted
        assert escaper.dropped == len(characters) - len(wanted)


@given(
    st.lists(st.lists(st.text(ALLOWED, max_size=4) | st.sampled_from([*FORBIDDEN, "<", "&", ">", "\r"]), max_size=4))
)
def test_what_is_taken_for_plain_needs_no_escaping(rows: list[list[str]]) -> None:
    escaper = Escaper()
    if escaper.is_plain(rows):
        assert [[escaper.text(text) for text in row] for row in rows] == rows
        assert escaper.dropped == 0


@pytest.mark.parametrize("text", ["", "Bill Harmon", "Zo\u00eb", "\u4e2d\U0001f44d", "100 % 'sure' \"so\"", "{}%s"])
def test_what_people_write_mostly_is_plain(text: str) -> None:
    assert Escaper().is_plain([[text], [], [text, text]])


@pytest.mark.parametrize(
    ("text", "escaped"),
    [("", ""), ("a b\tc\nd", "a b\tc\nd"), ("a\rb", "a&#13;b"), ("]]>", "]]&gt;"), ("<&", "&lt;&amp;"), ("\"'", "\"'")],
)
def test_only_what_must_be_is_escaped(text: str, escaped: str) -> None:
    assert Escaper().text(text) == escaped


def test_the_count_is_of_the_whole_document() -> None:
    escaper = Escaper()
    assert escaper.text("\x00\x01") == ""
    assert escaper.text("a\x02") == "a"
    assert escaper.dropped == 3
