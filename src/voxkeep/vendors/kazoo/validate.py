"""Checking the fields of a request against a table of rules, with refusals in the words of Kazoo's schemas.

Kazoo checks with JSON schema and tells of each field under the name of the rule that it breaks (reference 1.6). All
that is wrong is told at once. As a cluster does unless it is set up to be strict, a number or flag that was sent as a
text is taken for what it says: forms in browsers send such.
"""

import enum
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from voxkeep.vendors.kazoo import errors
from voxkeep.vendors.kazoo.errors import Invalid

MISSING = "Field is required but missing"
WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
FLAGS: Mapping[str, bool] = {"true": True, "false": False}
LONGEST_TOLD = 128
"""Letters; a longer value is not told back in a refusal."""


class Kind(enum.Enum):
    """What a field holds, in JSON schema's words."""

    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    OBJECT = "object"


class Form(Struct, frozen=True):
    """A form that a text must have: the rule's name, what to tell of it, and the test."""

    rule: str
    message: str
    target: str
    fits: Callable[[str], bool]


class Rule(Struct, frozen=True, kw_only=True):
    """What one field must be. A field that is missing is left out of the result, unless it is required."""

    kind: Kind
    required: bool = False
    one_of: tuple[str, ...] = ()
    """Words that a text may be; empty for any."""
    lower: bool = False
    """Whether the case of a text is nothing to go by; it is taken as lower case."""
    minimum: int | None = None
    maximum: int | None = None
    min_length: int = 0
    """In letters, as `max_length`."""
    max_length: int | None = None
    form: Form | None = None
    secret: bool = False
    """Whether the value is never told back."""


Rules = Mapping[str, Rule]


def checked(data: Mapping[str, Any], rules: Rules, within: str = "") -> dict[str, Any]:
    """Return the fields of `data` that have a rule; others are not looked at.

    `within` is the dotted path to `data`, for the names that are told. Raises KazooError (400) naming every field that
    is wrong, and each rule that it breaks.
    """
    found, problems = examined(data, rules, within)
    if problems:
        raise errors.validation(problems)
    return found


def examined(data: Mapping[str, Any], rules: Rules, within: str = "") -> tuple[dict[str, Any], list[Invalid]]:
    """Return the fields of `data` that have a rule and keep it, and what is wrong with the others."""
    found, problems = dict[str, Any](), list[Invalid]()
    for name, rule in rules.items():
        path = f"{within}.{name}" if within else name
        if name not in data:
            if rule.required:
                problems.append(Invalid(path, "required", MISSING))
            continue
        value = _taken(data[name], rule)
        wrong = list(_wrong(path, value, rule))
        problems += wrong
        if not wrong:
            found[name] = value
    return found, problems


def _taken(value: object, rule: Rule) -> object:
    """Return what a value is taken for."""
    if isinstance(value, str):
        if rule.kind is Kind.INTEGER and WHOLE.fullmatch(value):
            return int(value)
        if rule.kind is Kind.BOOLEAN:
            return FLAGS.get(value, value)
        if rule.lower:
            return value.lower()
    return value


def _wrong(path: str, value: object, rule: Rule) -> Iterator[Invalid]:
    if not _is(value, rule.kind):
        word = rule.kind.value
        yield Invalid(path, "type", f"Value did not match type(s): {word}", target=word)
    elif isinstance(value, str):
        yield from _wrong_text(path, value, rule)
    elif isinstance(value, int):
        yield from _wrong_number(path, value, rule)


def _is(value: object, kind: Kind) -> bool:
    if kind is Kind.INTEGER:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, TYPES[kind])


TYPES: Mapping[Kind, type] = {Kind.STRING: str, Kind.INTEGER: int, Kind.BOOLEAN: bool, Kind.OBJECT: dict}


def _wrong_text(path: str, value: str, rule: Rule) -> Iterator[Invalid]:
    told = None if rule.secret or len(value) > LONGEST_TOLD else value
    if rule.one_of and value not in rule.one_of:
        yield Invalid(path, "enum", "Value not found in enumerated list of values", target=rule.one_of, cause=told)
    if len(value) < rule.min_length:
        text = f"String must be at least {rule.min_length} characters"
        yield Invalid(path, "minLength", text, target=rule.min_length, cause=told)
    if rule.max_length is not None and len(value) > rule.max_length:
        text = f"String must not be more than {rule.max_length} characters"
        yield Invalid(path, "maxLength", text, target=rule.max_length, cause=told)
    if rule.form is not None and not rule.form.fits(value):
        yield Invalid(path, rule.form.rule, rule.form.message, target=rule.form.target, cause=told)


def _wrong_number(path: str, value: int, rule: Rule) -> Iterator[Invalid]:
    if rule.minimum is not None and value < rule.minimum:
        yield Invalid(path, "minimum", f"Value must be at least {rule.minimum}", target=rule.minimum, cause=value)
    if rule.maximum is not None and value > rule.maximum:
        yield Invalid(path, "maximum", f"Value must be at most {rule.maximum}", target=rule.maximum, cause=value)
