"""Queries of lists: windows, pages and order as Kazoo reads them; whatever stands in a query, no failure of ours."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.archive.units import LATEST
from voxkeep.settings import Kazoo
from voxkeep.vendors.kazoo import startkey
from voxkeep.vendors.kazoo.errors import KazooError
from voxkeep.vendors.kazoo.queries import MOST_ITEMS, Wanted, wanted

NOW = 1_700_000_000
G = NOW + 62_167_219_200
"""The same second on Kazoo's clock."""
LIMIT = 2_682_000
POSITION = startkey.Position(1_699_999_999_999, bytes(range(16)))


def asked(**query: str) -> Wanted:
    return wanted(query, NOW, Kazoo())


def refusal(**query: str) -> KazooError:
    with pytest.raises(KazooError) as caught:
        asked(**query)
    return caught.value


def window(**query: str) -> tuple[int, int]:
    """Return the window in seconds since 1970, after a look at its parts of a second."""
    created = asked(**query).created
    assert created.first % 1000 == 0
    assert created.last % 1000 == 999
    return created.first // 1000, created.last // 1000


# The window


def test_nothing_asked_is_the_last_31_days_and_an_hour_newest_first_by_fifty() -> None:
    found = asked()
    assert window() == (NOW - 31 * 86_400 - 3_600, NOW)
    assert not found.ascending
    assert not found.chunked
    assert not found.filters
    assert found.page_size == 50
    assert found.start is None
    assert found.fields is None


def test_both_bounds_are_whole_seconds_and_included() -> None:
    assert window(created_from=str(G - 10), created_to=str(G - 5)) == (NOW - 10, NOW - 5)
    assert window(created_from=str(G), created_to=str(G)) == (NOW, NOW)


def test_one_bound_alone_gives_the_other_its_default() -> None:
    assert window(created_from=str(G - 10)) == (NOW - 10, NOW)
    assert window(created_to=str(G - 10)) == (NOW - 10 - LIMIT, NOW - 10)


JUNK = [
    "",
    "0",
    "-1",
    "-63867219200",
    "x",
    "1.5",
    "6e10",
    f"{G}.0",
    f" {G}",
    f"{G} ",
    "0x10",
    "\u0661\u0662",
    "--1",
    "-",
]


@pytest.mark.parametrize("junk", JUNK)
def test_junk_is_as_good_as_no_bound(junk: str) -> None:
    assert window(created_from=junk, created_to=junk) == window()


def test_a_window_may_be_as_wide_as_the_limit_and_no_wider() -> None:
    assert window(created_from=str(G - LIMIT)) == (NOW - LIMIT, NOW)
    error = refusal(created_from=str(G - LIMIT - 1), created_to=str(G))
    assert (error.status, error.message) == (400, "validation error")
    text = f"created_to {G} is more than {LIMIT} seconds from created_from {G - LIMIT - 1}"
    assert error.data == {"created_from": {"date_range": {"message": text, "cause": G}}}


def test_the_limit_is_a_setting() -> None:
    rule = Kazoo(maximum_range_seconds=60)
    assert wanted({}, NOW, rule).created.first == (NOW - 60) * 1000
    with pytest.raises(KazooError, match="validation error"):
        wanted({"created_from": str(G - 61)}, NOW, rule)


def test_a_window_that_ends_before_it_begins_is_400_and_tells_its_begin() -> None:
    error = refusal(created_from=str(G), created_to=str(G - 1))
    assert (error.status, error.message) == (400, "validation error")
    text = f"created_to {G - 1} is prior to created_from {G}"
    assert error.data == {"created_from": {"date_range": {"message": text, "cause": G}}}


@pytest.mark.parametrize("far", ["9" * 18, "9" * 5_000])
def test_a_bound_out_of_all_time_is_400_or_a_window_of_nothing(far: str) -> None:
    assert refusal(created_from=far).status == 400
    assert refusal(created_from="1", created_to=far).status == 400
    created = asked(created_from=far, created_to=far).created
    assert created.first == created.last == LATEST


def test_a_window_before_1970_has_nothing_in_it() -> None:
    for query in ({"created_from": "1", "created_to": "2"}, {"created_to": "1"}):
        created = asked(**query).created
        assert created.last < created.first == 0


GIVEN = (
    st.integers(-(10**20), 10**20).map(str) | st.integers(G - 2 * LIMIT, G + 2 * LIMIT).map(str) | st.text(max_size=8)
)


@given(st.fixed_dictionaries({}, optional={"created_from": GIVEN, "created_to": GIVEN}))
def test_a_window_is_what_was_asked_for_within_our_times_or_400(query: Mapping[str, str]) -> None:
    def bound(name: str, otherwise: int) -> int:
        text = query.get(name, "")
        number = int(text) if text.isascii() and text.removeprefix("-").isdigit() else 0
        return min(number, 10**18) if number > 0 else otherwise

    to = bound("created_to", G)
    since = bound("created_from", to - LIMIT)
    if not 0 <= to - since <= LIMIT:
        assert refusal(**query).status == 400
        return
    created = asked(**query).created
    assert -1 <= created.last <= LATEST
    assert 0 <= created.first <= LATEST
    for second in (since - 1, since, to, to + 1):
        at = (second - (G - NOW)) * 1000
        if 0 <= at < LATEST:
            assert (created.first <= at <= created.last) is (since <= second <= to)


# Order, pages


@pytest.mark.parametrize(
    ("query", "ascending"),
    [
        ({"ascending": "true"}, True),
        ({"descending": "false"}, True),
        ({"ascending": "false"}, False),
        ({"ascending": "True"}, False),
        ({"ascending": "1"}, False),
        ({"descending": "true"}, False),
        ({"descending": "0"}, False),
        ({"descending": ""}, False),
    ],
)
def test_a_list_ascends_where_just_that_is_said(query: dict[str, str], *, ascending: bool) -> None:
    assert asked(**query).ascending is ascending


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("50", 50), ("007", 7), ("1000", 1000), (str(MOST_ITEMS + 1), MOST_ITEMS), ("9" * 9_000, MOST_ITEMS)],
)
def test_a_page_has_the_size_asked_for_however_large(text: str, size: int) -> None:
    assert asked(page_size=text).page_size == size
    assert asked(page_size=text, paginate="true").page_size == size


@pytest.mark.parametrize(
    ("text", "told"),
    [(each, "page size must be at least 1") for each in ("0", "000", "-0", "-1", f"-{'9' * 9_000}")]
    + [
        (each, "invalid page size")
        for each in ("", "x", "1.5", "10.0", " 5", "5 ", "1e3", "\u0665", "-", "--1", "\u00b2")
    ],
)
def test_a_page_of_no_size_is_404_and_told(text: str, told: str) -> None:
    error = refusal(page_size=text)
    assert (error.status, error.message, error.data) == (404, "faulty_request", {"message": told})


@pytest.mark.parametrize("word", ["false", "", "True", "1", "no", " true"])
def test_any_other_word_than_true_turns_pages_off(word: str) -> None:
    assert asked(paginate=word, page_size="junk").page_size is None


def test_pages_turned_off_leave_the_limit_of_the_window() -> None:
    assert refusal(paginate="false", created_from=str(G - LIMIT - 1)).status == 400


def test_a_start_key_tells_where_the_page_begins_also_under_its_newer_name() -> None:
    key = startkey.encode(POSITION)
    assert asked(start_key=key).start == POSITION
    assert asked(bookmark=key).start == POSITION
    assert asked(start_key="junk", bookmark=key).start == POSITION
    other = startkey.Position(5, b"\xff" * 16)
    assert asked(start_key=key, bookmark=startkey.encode(other)).start == POSITION


@pytest.mark.parametrize("key", ["", "junk", "g2wAAAACbgUAk", "63867219200", '["x"]', "\u0661" * 46, "=" * 46])
def test_a_start_key_that_is_none_of_ours_is_ignored(key: str) -> None:
    assert asked(start_key=key, bookmark=key).start is None


def test_chunks_are_asked_for_with_just_true() -> None:
    assert asked(is_chunked="true").chunked
    assert not asked(is_chunked="1").chunked


# Fields


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('["name","start"]', ("name", "start")),
        ('["name", "name", "id"]', ("name", "id")),
        ('["custom_channel_vars.Owner-ID"]', ("custom_channel_vars.Owner-ID",)),
        ("[]", None),
        ("", None),
    ],
)
def test_fields_are_an_array_of_names(text: str, fields: tuple[str, ...] | None) -> None:
    assert asked(fields=text).fields == fields


@pytest.mark.parametrize(
    "text", ["x", "name,start", '"name"', "{}", "null", "[1]", '["a"', '["a",null]', "[[]]", "[" * 9_000]
)
def test_other_fields_are_400_and_named(text: str) -> None:
    error = refusal(fields=text)
    assert (error.status, error.message) == (400, "validation error")
    assert isinstance(error.data, dict)
    assert list(error.data) == ["fields"]


# Everything else


def test_filters_stand_beside_the_window_and_its_bounds_are_none() -> None:
    document: dict[str, Any] = {"direction": "inbound", "pvt_modified": 10}
    assert not asked(created_from=str(G), created_to=str(G)).filters
    assert asked(filter_direction="inbound").filters.accepts(document)
    assert not asked(filter_direction="outbound").filters.accepts(document)
    assert not asked(modified_from="11").filters.accepts(document)
    assert window(modified_from="11", modified_to="12") == window()


def test_what_means_nothing_is_ignored() -> None:
    assert asked(_="1700000000000", auth_token="vk_invented", full_docs="true", md5="x") == asked()


NAMES = ["created_from", "created_to", "page_size", "paginate", "start_key", "bookmark", "ascending", "descending"]
OTHERS = ["is_chunked", "fields", "filter_x", "has_key", "modified_from", "_"]


def status_of(query: Mapping[str, str]) -> int:
    try:
        wanted(query, NOW, Kazoo())
    except KazooError as error:
        return error.status
    return 200


@given(st.dictionaries(st.sampled_from(NAMES + OTHERS) | st.text(max_size=6), GIVEN))
def test_a_query_is_refused_for_what_is_wrong_in_it_and_nothing_else(query: dict[str, str]) -> None:
    parts = [("created_from", "created_to"), ("page_size", "paginate"), ("fields",)]
    alone = [status_of({name: query[name] for name in part if name in query}) for part in parts]
    assert status_of(query) == next((status for status in alone if status != 200), 200)
    assert set(alone) <= {200, 400, 404}
