"""Filters on lists: conditions on any key of a whole document, private ones included (reference 1.2, "Filters").

All of them must hold. A key may be a dotted path; the last name of it may contain dots itself, and is tried so first.
Values are compared as text: numbers as they are written, `true`, `false`, and an empty text for what is missing or has
none (objects, lists). What cannot be evaluated, such as an operand that should be a JSON array and is none, accepts
nothing. Paths and operands are made ready once, since a list may be long.
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

Document = Mapping[str, Any]
Reader = Callable[[Document], Any]
Predicate = Callable[[Document], bool]

INTEGER = re.compile(r"-?[0-9]+", re.ASCII)
MOST_DIGITS = 18
MOST_STEPS = 32
"""Steps of a dotted path; what follows is one name."""
EMPTY_WORDS = frozenset({"", "0", "false", "NULL", "undefined"})
"""Texts that Kazoo takes for no value (kz_term:is_empty, 4.3)."""


class Filters(Struct, frozen=True):
    """The filters of one query. False when there are none."""

    predicates: tuple[Predicate, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.predicates)

    def accepts(self, document: Document) -> bool:
        """Tell whether a document, given with its private fields, passes them all."""
        return all(predicate(document) for predicate in self.predicates)


def filters_of(query: Mapping[str, str]) -> Filters:
    """Return the filters among a query's parameters. Nothing is refused: see above for what makes no sense."""
    return Filters(tuple(made for made in (_predicate(name, value) for name, value in query.items()) if made))


def integer(text: str) -> int | None:
    """Return the whole number a text is, None for any other text; one of more than 18 digits as 10^18, or its negative.

    Times and sizes that large are all alike to us, and they must stay numbers that the database knows.
    """
    if INTEGER.fullmatch(text) is None:
        return None
    digits = text.lstrip("-").lstrip("0")
    amount = int(digits or "0") if len(digits) <= MOST_DIGITS else 10**MOST_DIGITS
    return -amount if text.startswith("-") else amount


# What stands in a document


def reader(key: str) -> Reader:
    """Return what reads the value at a dotted path; it gives None for a missing one, as for null."""
    parts = key.split(".", MOST_STEPS)
    if len(parts) == 1:
        return lambda document: document.get(key)
    steps = [(part, ".".join(parts[index:])) for index, part in enumerate(parts)]

    def read(document: Document) -> Any:  # noqa: ANN401 -- any JSON value
        value: Any = document
        for part, rest in steps:
            if not isinstance(value, Mapping):
                return None
            if rest in value:
                return value[rest]
            value = value.get(part)
        return None

    return read


def text_of(value: object) -> str:
    """Return a JSON value as the text that it is compared as."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else ""


def _has_value(value: object) -> bool:
    return bool(value) and not (isinstance(value, str) and value in EMPTY_WORDS)


# What is asked of it


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _array(operand: str) -> frozenset[str] | None:
    """Return the texts of a JSON array of texts, numbers and booleans; None where the operand is anything else."""
    found = _json(operand)
    if not isinstance(found, list) or not all(isinstance(each, str | int | float) for each in found):
        return None
    return frozenset(map(text_of, found))


def _alternatives(operand: str) -> frozenset[str]:
    """Return all texts that are equal to an operand: itself, or one in it, or what it is a JSON text of (Kazoo 5)."""
    found = _json(operand)
    return frozenset({operand, found if isinstance(found, str) else operand}) | (_array(operand) or frozenset())


def _never(_: Document) -> bool:
    return False


def _equal(read: Reader, operand: str) -> Predicate:
    wanted = _alternatives(operand)
    return lambda document: text_of(read(document)) in wanted


def _unequal(read: Reader, operand: str) -> Predicate:
    unwanted = _alternatives(operand)
    return lambda document: text_of(read(document)) not in unwanted


def _any(read: Reader, operand: str) -> Predicate:
    wanted = _array(operand)
    return _never if wanted is None else lambda document: text_of(read(document)) in wanted


def _none(read: Reader, operand: str) -> Predicate:
    unwanted = _array(operand)
    return _never if unwanted is None else lambda document: text_of(read(document)) not in unwanted


def _intersection(test: Callable[[frozenset[str], set[str]], bool]) -> Callable[[Reader, str], Predicate]:
    """Return the maker of a condition on a list; anything else in a document is a list of nothing."""

    def make(read: Reader, operand: str) -> Predicate:
        wanted = _array(operand)
        return _never if wanted is None else lambda document: test(wanted, _members(read(document)))

    return make


def _members(value: object) -> set[str]:
    if not isinstance(value, list):
        return set()
    return {text_of(each) for each in value if isinstance(each, str | int | float)}


def _modified(test: Callable[[int, int], bool]) -> Callable[[str], Predicate]:
    """Return the maker of a condition on the last change, which compares it with the time that the operand gives."""

    def make(operand: str) -> Predicate:
        bound = integer(operand)
        if bound is None:
            return _never

        def accepts(document: Document) -> bool:
            modified = document.get("pvt_modified")
            return isinstance(modified, int) and test(modified, bound)

        return accepts

    return make


def _on(test: Callable[[object], bool]) -> Callable[[str], Predicate]:
    """Return the maker of a condition on the value at the path that the operand names."""

    def make(operand: str) -> Predicate:
        read = reader(operand)
        return lambda document: test(read(document))

    return make


KEYED: Mapping[str, Callable[[Reader, str], Predicate]] = {
    "filter_array_intersect_all_": _intersection(lambda wanted, members: wanted <= members),
    "filter_array_intersect_any_": _intersection(lambda wanted, members: not wanted.isdisjoint(members)),
    # Kazoo's documentation promises none of them; its code, and so its clients, have "not all"
    "filter_array_intersect_none_": _intersection(lambda wanted, members: not wanted <= members),
    "filter_any_": _any,
    "filter_none_": _none,
    "filter_not_": _unequal,
    "filter_": _equal,
}
"""Parameters that end in a key, by what comes before it; the first that fits counts."""
NAMED: Mapping[str, Callable[[str], Predicate]] = {
    "has_key": _on(lambda value: value is not None),
    "key_missing": _on(lambda value: value is None),
    "has_value": _on(_has_value),
    "value_missing": _on(lambda value: not _has_value(value)),
    "missing_value": _on(lambda value: not _has_value(value)),  # as documented; Kazoo's code knows it not
    "modified_from": _modified(operator.ge),
    "modified_to": _modified(operator.le),
}
"""Parameters whose operand is a key, or a time in Gregorian seconds."""


def _predicate(name: str, operand: str) -> Predicate | None:
    """Return the filter that a parameter is, None for any other parameter."""
    if name in NAMED:
        return NAMED[name](operand)
    prefix = next((each for each in KEYED if name.startswith(each)), None)
    return None if prefix is None else KEYED[prefix](reader(name.removeprefix(prefix)), operand)
