"""What the URL of a push tells."""

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voxkeep.vendors.kazoo.pushpath import BadPath, Place, pairs_of, place_of, secret_of

A, U = "a" * 32, "b" * 32
R = f"202311-{'c' * 32}"
SECRET = "vk_push_invented"


def place(path: str, query: str = "") -> Place:
    return place_of(f"/ingest/kazoo/{SECRET}/{path}".encode(), pairs_of(query.encode()))


@pytest.mark.parametrize(
    ("path", "call_id", "extension"),
    [
        ("call_recording_abc.mp3", "abc", "mp3"),
        ("call_recording_abc..mp3", "abc", "mp3"),
        ("call_recording_abc%4010.0.0.1.wav", "abc@10.0.0.1", "wav"),
        ("call_recording_abc@10.0.0.1", "abc@10.0.0.1", ""),
        ("call_recording_a%3Bb%2Fc..MP4", "a;b/c", "mp4"),
        ("call_recording_a%2520b.mp3", "a%20b", "mp3"),
        ("any/thing/call_recording_%C3%BC.mp3", "ü", "mp3"),
        ("call_recording_.mp3", "", "mp3"),
        ("notes.mp3", "", "mp3"),
    ],
)
def test_a_file_name_tells_its_call_and_extension_with_one_dot_or_two(path: str, call_id: str, extension: str) -> None:
    found = place(path)
    assert (found.call_id, found.extension) == (call_id, extension)
    assert (found.account, found.owner, found.recording) == ("", "", "")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("", "file=call_recording_abc.mp3&from=x"),
        ("put.php", "file=call_recording_abc.mp3&from=x"),
        ("put.php", "a=1&save=call_recording_abc.mp3&from=x"),
        ("put.php", "=call_recording_abc.mp3&from=x"),
        ("put.php", "customer=7&recording=call_recording_abc.mp3&from=x"),
        ("put.php", "customer=7&file=&recording=call_recording_abc.mp3"),
    ],
)
def test_a_url_with_a_query_has_the_file_name_in_it(path: str, query: str) -> None:
    found = place(path, query)
    assert (found.file_name, found.call_id, found.extension) == ("call_recording_abc.mp3", "abc", "mp3")
    assert found.path == (path and quote(path, safe="")) + "?call_recording_abc.mp3"


def test_another_file_in_the_query_is_another_path() -> None:
    one, two = (place("put.php", f"file=call_recording_{call}.mp3&from=x") for call in ("a", "b"))
    assert one.path != two.path
    assert one.path == place("put.php", "file=call_recording_a.mp3&from=other&to=y").path


@pytest.mark.parametrize(
    "query", ["", "file=", "file=&from=x", "from=call_recording_x.mp3", "call_id=call_recording_x"]
)
def test_what_no_query_names_stands_in_the_path(query: str) -> None:
    assert place("in/notes.mp3", query).file_name == "notes.mp3"


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        (f"{A}/{U}/{R}/x.mp3", (A, U, R)),
        (f"{A}/{R}/x.mp3", (A, "", R)),
        (f"{R}/x.mp3", ("", "", R)),
        (f"mine/{A}/{U}/{R}/x.mp3", (A, U, R)),
        (f"{'d' * 32}/{A}/{U}/{R}/x.mp3", (A, U, R)),
        (f"{A}/{U}/x.mp3", ("", "", "")),
        (f"{A}/{U.upper()}/{R}/x.mp3", ("", "", R)),
        (f"{A}/{'e' * 32}/f_test_credentials_file.txt", (A, "", "")),
    ],
)
def test_a_storage_plan_has_its_ids_in_the_path(path: str, ids: tuple[str, str, str]) -> None:
    found = place(path)
    assert (found.account, found.owner, found.recording) == ids


def test_a_storage_plan_may_stand_in_a_query() -> None:
    found = place("put.php", f"path={A}/{U}/{R}/x.mp3")
    assert (found.account, found.owner, found.recording, found.file_name) == (A, U, R, "x.mp3")


def test_a_file_of_trial_is_known_by_its_name() -> None:
    assert place(f"{A}/{U}/0123_test_credentials_file.txt").is_probe
    assert not place("test_credentials.txt").is_probe


@pytest.mark.parametrize(
    "path",
    [
        "../call_recording_a.mp3", "a/%2e%2e/call_recording_a.mp3", "call_recording_a%2F..%2F..%2Fb.mp3",
        "a/%252e%252e/b.mp3", "a%5C..%5Cb.mp3", "./a.mp3", "a%0Ab.mp3", "a%C2%85b.mp3", "", "/",
    ],
)  # fmt: skip
def test_a_path_that_climbs_or_cannot_be_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        place(path)


@pytest.mark.parametrize("name", ["call_recording_a/../b.mp3", "a/%2e%2e/b", "..", "call_recording_\n"])
def test_a_name_in_a_query_that_climbs_is_refused(name: str) -> None:
    with pytest.raises(BadPath):
        place("put.php", f"file={quote(name, safe='')}")


def test_the_same_path_however_it_is_encoded_is_one() -> None:
    paths = (
        "a/call_recording_x%40y.mp3",
        "a/call_recording_x@y.mp3",
        "a//call_recording_%78@y.mp3",
        "%61/call_recording_x@y.mp3",
    )
    assert len({place(path).path for path in paths}) == 1


def test_the_secret_is_the_first_segment() -> None:
    assert secret_of(b"/ingest/kazoo/vk_push_x/a/b") == "vk_push_x"
    assert secret_of(b"/ingest/kazoo/vk%5Fpush_x") == "vk_push_x"
    assert secret_of(b"/ingest/kazoo/%ff/") == "\ufffd"
    assert secret_of(b"/ingest/kazoo/") == ""


segment = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/\\%"), min_size=1)


@given(st.lists(segment, min_size=1, max_size=4).filter(lambda parts: not {".", ".."} & set(parts)), st.binary())
def test_a_path_is_found_again_whatever_the_query_adds(segments: list[str], query: bytes) -> None:
    raw = "/".join(quote(each, safe="") for each in ["call_recording_", *segments])
    named = f"{raw}/call_recording_{quote(segments[-1], safe='')}.mp3"
    once = place_of(f"/ingest/kazoo/s/{named}".encode(), [])
    assert place_of(f"/ingest/kazoo/s/{named}".encode(), pairs_of(query)) == once
    assert once.call_id == segments[-1] or segments[-1].endswith(".")
    assert once.extension == "mp3"


@given(st.binary(), st.binary())
@example(b"call_recording_..mp3", b"%")
def test_any_path_and_query_is_a_place_or_refused(path: bytes, query: bytes) -> None:
    try:
        found = place_of(b"/ingest/kazoo/s/" + path, pairs_of(query))
    except BadPath:
        return
    assert found.path.isascii()
    assert found.file_name
