"""Bodies in parts, and in base64, as kz_att_http makes them."""

import io
from base64 import b64encode
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vendors.kazoo.vendor import mp3, wav

from voxkeep.vendors.kazoo.multipart import BadBody, Multipart, decoded, decoded_text, is_encoded

BOUNDARY = "qX7invented"
KIND = f"multipart/form-data; boundary={BOUNDARY}".encode()


def part(content: bytes, kind: str, name: str = "part") -> bytes:
    head = f"\r\n--{BOUNDARY}\r\ncontent-disposition: form-data; name={name}\r\ncontent-type: {kind}\r\n\r\n"
    return head.encode() + content


END = f"\r\n--{BOUNDARY}--".encode()


async def read(body: bytes, step: int = 1 << 16, kind: bytes = KIND) -> tuple[bytes, Multipart]:
    async def blocks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), step):
            yield body[start : start + step]

    parts = Multipart(kind)
    return b"".join([block async for block in parts.attachment(blocks())]), parts


@pytest.mark.parametrize("end", [END, END + b"\r\n", END + b"\r\nafterwards"])
@pytest.mark.parametrize("step", [1, 7, 1 << 16])
async def test_document_and_attachment_come_apart(end: bytes, step: int) -> None:
    body = part(b'{"id":"x"}', "application/json") + part(b"\xff\xfb\r\n--data", "audio/mpeg", "x.mp3") + end
    attachment, parts = await read(body, step)
    assert (attachment, parts.document, parts.content_type) == (b"\xff\xfb\r\n--data", b'{"id":"x"}', b"audio/mpeg")


async def test_the_parts_may_come_in_either_order_and_without_a_document() -> None:
    attachment, parts = await read(part(b"audio", "audio/mpeg") + part(b"{}", "Application/JSON; charset=utf-8") + END)
    assert (attachment, parts.document) == (b"audio", b"{}")
    attachment, parts = await read(part(b"audio", "audio/mpeg") + END)
    assert (attachment, parts.document) == (b"audio", b"")


@pytest.mark.parametrize(
    "body",
    [
        part(b"audio", "audio/mpeg"),
        part(b"{}", "application/json") + part(b"audio", "audio/mpeg") + END[:-1],
        part(b"one", "audio/mpeg") + part(b"two", "audio/mpeg") + END,
        part(b"{}", "application/json") + part(b"{}", "application/json") + END,
        part(b'"' + b"x" * (1 << 20) + b'"', "application/json") + END,
        b"no parts at all",
        b"",
    ],
)
async def test_parts_that_cannot_be_are_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        await read(body)


@pytest.mark.parametrize(
    "kind", [b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/mixed; boundary=" + b"x" * 5000]
)
def test_a_boundary_that_cannot_be_is_refused(kind: bytes) -> None:
    with pytest.raises(BadBody):
        Multipart(kind)


@given(st.binary(), st.binary(min_size=1), st.integers(1, 40))
async def test_any_bytes_come_through_parts_unaltered(document: bytes, content: bytes, step: int) -> None:
    if BOUNDARY.encode() in document + content:
        return
    body = part(document, "application/json") + part(content, "audio/x-wav") + END
    attachment, parts = await read(body, step)
    assert (attachment, parts.document) == (content, document)


@given(st.binary(), st.integers(1, 40))
async def test_any_body_is_parts_or_refused(body: bytes, step: int) -> None:
    try:
        await read(body, step)
    except BadBody:
        return
    assert body.rstrip(b"\r\n").startswith(b"--" + BOUNDARY.encode())


@pytest.mark.parametrize("audio", [mp3(1_000), wav(900), b"OggS" + bytes(600), b"\0\0\0\x18ftypisom" + bytes(301)])
def test_base64_of_audio_is_known_and_undone(audio: bytes) -> None:
    file = io.BytesIO(b64encode(audio))
    assert is_encoded(file)
    assert decoded(file.read()) == audio


@pytest.mark.parametrize(
    "body",
    [
        mp3(1_000),
        b"",
        b"call",
        b64encode(b"some text that is no audio"),
        b64encode(mp3(1_000)) + b"!",
        b64encode(mp3(1_000))[:-1],
        b64encode(b"ID3" + bytes(511)) + b"=" * 4 + b64encode(bytes(9)),
        b64encode(b"ID3" + bytes(2_000_000)) + b"AAAA",
        b64encode(b"ID3" + bytes(786_812)) + b"AAAA",  # padding right where a block ends
    ],
)
def test_what_is_not_throughout_base64_of_audio_is_taken_as_it_is(body: bytes) -> None:
    file = io.BytesIO(body)
    assert not is_encoded(file)
    assert file.read() == body


@given(st.binary(), st.sampled_from([b"ID3", b"OggS", b"fLaC"]))
def test_base64_of_any_audio_is_undone_to_its_bytes(content: bytes, head: bytes) -> None:
    whole = b64encode(head + content)
    assert is_encoded(io.BytesIO(whole))
    assert decoded(whole) == head + content


def test_a_text_of_trial_is_undone_only_where_it_is_one() -> None:
    text = b"some random content: 0123"
    assert decoded_text(b64encode(text)) == text
    assert decoded_text(text) == text
    assert decoded_text(b64encode(bytes(5))) == b64encode(bytes(5))
    assert decoded_text(b"") == b""
