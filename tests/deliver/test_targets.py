"""URLs: which can be sent to, and how little of one is ever told."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.deliver import BadTarget, Target, checked_url

CANARY = "c4nary"


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "/in", "ftp://host/", "file:///etc/passwd", "http://", "http:///in", "https://:443/", "http://h:99999/",
        "http://h:0/", "http://h:x/", "http://[::1/", "http://ho st/", "http://host/\r\nX: y", "http://host/ü",
        "javascript:alert(1)", "//host/in", "http:host", "http://host/" + "a" * 200_000,
    ],
)  # fmt: skip
def test_what_nothing_can_be_sent_to_is_refused(url: str) -> None:
    with pytest.raises(BadTarget) as refused:
        checked_url(url)
    assert len(str(refused.value)) < 100


@pytest.mark.parametrize("url", ["http://h", "https://h:8443/a?b=c", "HTTP://H/", "http://[2001:db8::1]:80/%2F?x=%20"])
def test_what_can_be_sent_to_passes_as_it_is(url: str) -> None:
    assert checked_url(url).scheme in ("http", "https")


def test_only_the_fragment_goes() -> None:
    assert str(checked_url("http://u:p@h:81/a%2Fb/?c=d%20e&f#g")) == "http://u:p@h:81/a%2Fb/?c=d%20e&f"


@given(text=st.text() | st.text("htps:/@[]?#%.0123456789ab", max_size=40).map("http://{}".format))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        assert checked_url(text).raw_host
    except BadTarget:
        return


@pytest.mark.parametrize(
    ("url", "name", "told"),
    [
        ("http://h/a.mp3?x=1", "a.mp3", "http://h/a.mp3"),
        ("http://u:p@h:81/s/t/a.mp3?x=1", "a.mp3", "http://h:81/.../a.mp3"),
        ("http://h/in?file=a.mp3", "a.mp3", "http://h/..."),
        ("https://[2001:db8::1]:8443/in/a.mp3", "a.mp3", "https://[2001:db8::1]:8443/.../a.mp3"),
        ("https://h:443/in", "", "https://h:443/..."),
        ("https://h", "a.mp3", "https://h/..."),
        ("https://h/x/a%2Fb.mp3", "a/b.mp3", "https://h/.../a%2Fb.mp3"),
    ],
)
def test_of_a_url_only_host_and_file_name_are_told(url: str, name: str, told: str) -> None:
    assert Target(url=url, media_type="audio/mpeg", name=name).place == told


SEGMENTS = st.lists(st.text("abc%20/", max_size=4).map(lambda text: quote(text, safe="") + CANARY), max_size=3)


@given(before=SEGMENTS, name=st.sampled_from(["", "call.mp3", "a b.wav"]), fields=SEGMENTS, port=st.integers(1, 65_535))
def test_a_secret_is_never_told_wherever_it_stands(before: list[str], name: str, fields: list[str], port: int) -> None:
    path = "/".join([*before, quote(name, safe="")])
    url = f"http://{CANARY}:{CANARY}@host:{port}/{path}?{'&'.join(f'{each}={each}' for each in fields)}#{CANARY}"
    target = Target(url=url, media_type="audio/mpeg", name=name, given=url)
    assert CANARY not in target.place
    assert CANARY not in repr(target)
    assert CANARY not in target.identity
    assert target.place.startswith("http://host")
