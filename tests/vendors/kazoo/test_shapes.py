"""Whatever a cluster answers is read whole, told as broken, or refused as no answer; never anything else."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vendors.kazoo.vendor import document, envelope, key_at

from voxkeep.archive.units import TenantId
from voxkeep.vendors.kazoo import shapes
from voxkeep.vendors.kazoo.wire import BadDocument, recording_of

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ID = key_at()


def page(*rows: Any, **told: Any) -> bytes:
    return json.dumps(envelope(list(rows), **told)).encode()


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), JSON, max_size=6))
def test_a_document_is_read_field_for_field(more: dict[str, Any]) -> None:
    shown = {**document(), **more, "id": ID}
    (found,) = shapes.page(page(shown)).documents.values()
    assert found == shown
    # and can be written again, as it is kept
    assert json.loads(msgspec.json.encode(found)) == shown


@given(st.dictionaries(st.sampled_from([*document(), "_read_only", "custom_channel_vars"]), JSON, max_size=6))
def test_a_document_of_any_values_becomes_a_recording_or_is_told(more: dict[str, Any]) -> None:
    read = shapes.page(page({**document(), **more}))
    assert len(read.documents) + len(read.bad) == read.count == 1
    for key, found in read.documents.items():
        with suppress(BadDocument):
            assert recording_of(found, TenantId(1)).vendor_key == key
        shapes.content_types(found)


@given(JSON)
def test_any_json_is_an_answer_or_none(value: Any) -> None:
    for body in (json.dumps(value).encode(), json.dumps(envelope(value)).encode(), page(value)):
        for read in (shapes.page, shapes.item, shapes.login, shapes.accounts):
            with suppress(shapes.Unreadable):
                read(body)
        assert shapes.tells_of_range(body) in {True, False}


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_none(body: bytes) -> None:
    for read in (shapes.page, shapes.item, shapes.login, shapes.accounts):
        with suppress(shapes.Unreadable):
            read(body)
    assert not shapes.tells_of_range(body)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b'"\\ud800"', ID),
        (b"NaN", ID),
        (b"1e999", ID),
        (b'"\xff"', ID),
        (b'"\xed\xa0\x80"', ID),
    ],
)
def test_a_value_that_is_no_json_loses_its_own_document_and_no_other(value: bytes, key: str) -> None:
    good = json.dumps(document(number=2)).encode()
    body = b'{"data": [{"id": "%s", "name": %s}, %s], "next_start_key": "k"}' % (ID.encode(), value, good)
    read = shapes.page(body)
    assert list(read.documents) == [key_at(number=2)]
    assert ([each.key for each in read.bad], read.count, read.next_key) == ([key], 2, "k")


@pytest.mark.parametrize("nesting", [900, 5_000, 200_000])
def test_an_answer_nested_too_deeply_is_told(nesting: int) -> None:
    deep = b"[" * nesting + b"]" * nesting
    for body in (b'{"data": [%s]}' % (deep or b"0"), b'{"data": [{"id": "%s", "x": %s}]}' % (ID.encode(), deep)):
        with suppress(shapes.Unreadable):
            read = shapes.page(body)
            assert len(read.documents) + len(read.bad) == 1


@pytest.mark.parametrize(
    "key",
    ["", "x", "../../etc", "202311", "202313-a", "202311-", "202311-a\nb", "202311-é", "202311-" + "a" * 300, 7, None],
)
def test_a_document_without_an_id_that_can_be_asked_for_is_told(key: Any) -> None:
    read = shapes.page(page(document(id=key)))
    assert (read.documents, len(read.bad)) == ({}, 1)
    assert "id" in read.bad[0].reason


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ({}, ""),
        ({"next_start_key": None}, ""),
        ({"next_start_key": ""}, ""),
        ({"next_start_key": "g2gCbgUA+/=="}, "g2gCbgUA+/=="),
        ({"next_start_key": 63867219200}, "63867219200"),
        ({"next_start_key": [63867219200, "202311-a"]}, '[63867219200, "202311-a"]'),
    ],
)
def test_the_next_key_is_passed_back_as_it_came(told: dict[str, Any], key: str) -> None:
    assert shapes.page(page(**told)).next_key == key


def test_keys_of_an_envelope_come_in_any_order_and_as_texts() -> None:
    body = b'{"status":"success","page_size":"25","data":[],"next_start_key":"k","timestamp":"2023-11-14T22:13:20"}'
    read = shapes.page(body)
    assert (read.next_key, read.clock) == ("k", 1_700_000_000_000)


@pytest.mark.parametrize(
    ("stamp", "clock"),
    [
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
        ("yesterday", None),
        (7, None),
        ("0001-01-01T00:00:00+23:59", None),
    ],
)
def test_the_clusters_clock_is_read_where_it_tells_one(stamp: Any, clock: int | None) -> None:
    assert shapes.page(page(timestamp=stamp)).clock == clock


def test_of_a_login_the_token_and_the_account_are_taken() -> None:
    data = {"account_id": "a" * 32, "account_name": "Acme"}
    assert shapes.login(json.dumps({"data": data, "auth_token": "t"}).encode()) == shapes.Login("t", "a" * 32, "Acme")
    changes: list[dict[str, Any]] = [
        {"auth_token": "two words"},
        {"auth_token": 7},
        {"data": {"account_id": "A" * 32}},
        {"data": []},
    ]
    for changed in changes:
        with pytest.raises(shapes.Unreadable):
            shapes.login(json.dumps({"data": data, "auth_token": "t", **changed}).encode())


def test_of_accounts_those_with_an_id_are_taken() -> None:
    rows = [{"id": "a" * 32, "name": "A", "tree": ["b" * 32, 7]}, {"id": "x"}, 7, {"id": "c" * 32}]
    read = shapes.accounts(page(*rows))
    assert read.accounts == [shapes.Below("a" * 32, "A", ("b" * 32,)), shapes.Below("c" * 32, "", ())]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"created_from": {"date_range": {"message": "m", "cause": 1}}}, True),
        ({"created_to": {"date_range": {}}}, True),
        ({"account": {"expired": {}}}, False),
        ([], False),
        ("date_range", False),
    ],
)
def test_a_refused_window_is_told_from_other_refusals(data: Any, told: bool) -> None:  # noqa: FBT001 -- a case
    assert shapes.tells_of_range(json.dumps(envelope(data)).encode()) is told
