"""What 8x8's clients ask: query variables, parsed into what the archive understands (seed 003, "Query Variables").

```
d, start-date, finish-date, tz      see `dates`          n      number of the first record, from 1
FIELD=value                         any plain field of the record but startDate: exactly this value, case-sensitive
metaData_fieldName, metaData_fieldValue                  substrings, on the same field of the contact's
```
All of them must hold. Of a variable that is given twice the last counts (the vendor's platform is PHP); what is no
variable is ignored, and named in a header of the answer, since a mistyped one would otherwise return everything.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl, quote

from msgspec import Struct

from voxkeep.archive.query import SHOWN_END, AnyOf, Question, Term, TimeRange
from voxkeep.archive.query import Scope as Part
from voxkeep.archive.units import EpochMs
from voxkeep.vendors.eightbyeight.dates import Interval, around, interval, iso_utc, moment, zone_of
from voxkeep.vendors.eightbyeight.wire import narrowing
from voxkeep.web.errors import BadRequestError
from voxkeep.web.headers import Header

D, ZONE, N, START, FINISH = "d", "tz", "n", "start-date", "finish-date"
META_NAME, META_VALUE = "metaData_fieldName", "metaData_fieldValue"
RESERVED = frozenset({D, ZONE, N, START, FINISH, META_NAME, META_VALUE})
NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
MOST_IGNORED_LETTERS = 1_000

Terms = Mapping[str, Callable[[str], tuple[Term, ...]]]


def variables(query: bytes) -> dict[str, str]:
    """Return the variables of a query string; of one given twice, the last."""
    return dict(parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=None))


class Wanted(NamedTuple):
    """What a list is asked for."""

    zone: str
    n: int
    day: Interval | None
    """What `d` resolved to."""
    started: Interval | None
    """Both that and start-date."""
    finished: Interval | None
    fields: Mapping[str, str]
    metadata: tuple[str, str]
    """Parts of a field's name and value; empty ones are in every text."""
    ignored: tuple[str, ...]

    def question(self, scope: Part, terms: Terms) -> Question:
        """Return it as a question to the archive; `terms` are the columns that show a field's value."""
        conditions = narrowing(self.fields, terms)
        ended = None
        if self.finished is not None:
            first, last = self.finished.first, self.finished.end - 1
            conditions += (AnyOf((Term(SHOWN_END, first, last),)),)
            # the parts of a second that are not shown are less than two together
            ended = TimeRange(EpochMs(first * 1000), EpochMs((last + 2) * 1000))
        started = None
        if self.started is not None:
            started = TimeRange(EpochMs(self.started.first * 1000), EpochMs(self.started.end * 1000 - 1))
        return Question(scope, started, ended, conditions)

    def accepts(self, record: Struct) -> bool:
        """Tell whether a record shows the wanted values."""
        return all(str(getattr(record, name)) == value for name, value in self.fields.items())

    def headers(self) -> list[Header]:
        """Return the headers that tell how the query was understood."""
        headers = []
        if self.day is not None:
            told = f"{iso_utc(self.day.first)}/{iso_utc(self.day.end)}"
            headers.append((b"x-voxkeep-interval", told.encode()))
        return [*headers, *ignored_header(self.ignored)]


def ignored_header(names: Sequence[str]) -> list[Header]:
    """Return the header that names variables which mean nothing here, percent-encoded; dots where there are more."""
    told = ", ".join(quote(name, safe="") for name in names)
    if len(told) > MOST_IGNORED_LETTERS:
        told = f"{told[: MOST_IGNORED_LETTERS - 3]}..."
    return [(b"x-voxkeep-ignored", told.encode("ascii"))] if names else []


def wanted(query: bytes, fields: Terms, zone: str, now: int) -> Wanted:
    """Return what a list is asked for, in the tenant's `zone` at the second `now`.

    `fields` are the fields that may be asked for by value. Raises BadRequestError naming the variable.
    """
    given = variables(query)
    zone = zone_in(given, zone)
    day = interval(given[D], zone, now) if D in given else None
    start = around(moment(given[START], START, zone, now)) if START in given else None
    # seed 003: of the two only start-date is used, so what finish-date says does not matter then
    asks_finish = FINISH in given and START not in given
    return Wanted(
        zone=zone,
        n=_n(given.get(N, "1")),
        day=day,
        started=_both(day, start),
        finished=around(moment(given[FINISH], FINISH, zone, now)) if asks_finish else None,
        fields={name: value for name, value in given.items() if name in fields},
        metadata=(given.get(META_NAME, ""), given.get(META_VALUE, "")),
        ignored=tuple(name for name in given if name not in RESERVED and name not in fields),
    )


def zone_in(given: Mapping[str, str], zone: str) -> str:
    """Return the zone that `tz` names, else the tenant's. Raises BadRequestError."""
    return zone_of(given[ZONE]) if ZONE in given else zone


def _n(text: str) -> int:
    if NUMBER.fullmatch(text) is None:
        raise BadRequestError("n is the number of the first record, counted from 1", N)
    return max(int(text), 1)


def _both(one: Interval | None, other: Interval | None) -> Interval | None:
    if one is None or other is None:
        return one or other
    first = max(one.first, other.first)
    return Interval(first, max(min(one.end, other.end), first))
