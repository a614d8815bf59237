"""What every vendor's client shares: the wait that is asked for, addresses and texts that betray no secret."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.collect import http
from voxkeep.collect.errors import SourceUnusable

NOW = datetime(2024, 2, 12, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Mon, 12 Feb 2024 20:01:30 GMT", 90),
        ("Mon, 12 Feb 2024 20:01:30 -0000", 90),
        ("Mon, 12 Feb 2024 19:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e999", None),
        ("Mon, 99 Feb 2024 20:01:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str, seconds: float | None) -> None:
    assert http.retry_after(text, NOW) == seconds


@given(st.text(max_size=30))
def test_any_retry_after_is_a_wait_or_nothing(text: str) -> None:
    wait = http.retry_after(text, NOW)
    assert wait is None or wait >= 0


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.xima.cloud",
        "https://acme.xima.cloud:8443/base",
        "http://127.0.0.1:8400",
        "http://localhost:8400/",
        "http://[::1]:8400",
    ],
)
def test_an_address_is_https_or_this_machine(url: str) -> None:
    assert http.checked_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.xima.cloud",
        "ftp://acme.xima.cloud",
        "acme.xima.cloud",
        "https://",
        "https://user:pw@acme.xima.cloud",
        "https://acme.xima.cloud/?token=x",
        "https://acme.xima.cloud/#x",
        "https://acme.xima.cloud:99999",
        "https://ac me",
        "",
    ],
)
def test_an_address_that_could_betray_the_token_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|http|port|Port"):
        http.checked_url(url)


def test_plain_http_elsewhere_needs_to_be_allowed() -> None:
    assert http.checked_url("http://acme.xima.cloud", allow_http=True)


@pytest.mark.parametrize("secret", ["", "two words", "line\nbreak", "käse"])
def test_a_secret_that_cannot_be_a_token_is_unusable(secret: str) -> None:
    with pytest.raises(SourceUnusable):
        http.checked_token(secret)


def test_a_vendors_text_becomes_one_short_line_without_secrets() -> None:
    assert http.one_line(" no\r\nsuch token: s3cret\x00 ", ["s3cret"]) == "no such token: ***"
    assert len(http.one_line("x" * 500, [])) == http.REASON_LETTERS


@pytest.mark.parametrize(
    ("head", "text"),
    [(b"{", True), (b"\n <html>", True), (b"[1]", True), (b"RIFF", False), (b"OggS", False), (b"", False)],
)
def test_text_is_known_by_how_it_begins(head: bytes, *, text: bool) -> None:
    assert http.is_text(head) is text
