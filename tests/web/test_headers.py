from voxkeep.web.headers import header, pick

HEADERS = [(b"host", b"a"), (b"range", b"bytes=0-1"), (b"if-none-match", b'"a"'), (b"if-none-match", b'"b"')]


def test_the_first_value_of_a_header_is_found() -> None:
    assert header({"headers": HEADERS}, b"if-none-match") == b'"a"'


def test_a_missing_header_is_none() -> None:
    assert header({"headers": HEADERS}, b"if-range") is None


def test_repeated_headers_are_joined_by_a_comma() -> None:
    assert pick(HEADERS, frozenset({b"if-none-match", b"x"})) == {b"if-none-match": b'"a", "b"'}
