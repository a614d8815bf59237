"""Calls that are going on, and commands to them (reference 3.3).

Nothing is recorded live here, so no channel is ever known: the list is empty, and a command is checked and then
refused like one to a call that has ended.
"""

from collections.abc import Mapping
from typing import Any

from voxkeep.vendors.kazoo import errors, record_call
from voxkeep.vendors.kazoo.envelope import encoded
from voxkeep.vendors.kazoo.errors import Invalid, KazooError
from voxkeep.vendors.kazoo.request import Request
from voxkeep.vendors.kazoo.validate import Kind, Rule, Rules, checked, examined

INVALID_DATA = "invalid data"
"""Kazoo's `message` for an action that it does not know."""
RECORD_CALL = "record_call"
NEEDED = Rule(kind=Kind.STRING, required=True, min_length=1)
COMMANDS: Mapping[str, Rules] = {
    "start_record": {},
    "stop_record": {},
    "transfer": {"target": NEEDED},
    "hangup": {},
    "break": {},
    "callflow": {"id": Rule(kind=Kind.STRING)},
    "intercept": {"target_type": NEEDED, "target_id": NEEDED},
    "move": {"device_id": Rule(kind=Kind.STRING), "owner_id": Rule(kind=Kind.STRING)},
}
"""What a POST may ask for, and the fields that each needs or reads."""
FLOWS: Mapping[str, Rules] = {
    "metaflow": {
        "module": Rule(kind=Kind.STRING, required=True, min_length=1, max_length=64),
        "data": Rule(kind=Kind.OBJECT),
    }
}
"""What a PUT may ask for."""
DEEPEST = 2
"""How many levels of `data` too many are seen through: one that Kazoo's documents show, and the action's own."""


class Channels:
    """Answers the routes about channels."""

    async def list(self, request: Request) -> None:
        """GET the channels of an account: none."""
        told = request.told()
        told.page_size = 0
        await request.reply_encoded(encoded([]), told)

    async def show(self, request: Request) -> None:
        """GET one channel: none is known."""
        raise errors.bad_identifier(request.segments[-1])

    async def command(self, request: Request) -> None:
        """POST a command to a channel, or PUT a metaflow into it. Raises KazooError (400) for what makes no sense."""
        if request.method == "PUT":
            check_flow(request.body, request.data)
        else:
            check_command(request.body, request.data)
        raise errors.bad_identifier(request.segments[-1])


def check_command(body: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Check the body of a POST. Raises KazooError naming every field that is wrong."""
    checked(data, COMMANDS[_action(data.get("action", body.get("action")), COMMANDS)])


def check_flow(body: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Check the body of a PUT. Raises KazooError naming every field that is wrong."""
    rules = FLOWS[_action(body.get("action", data.get("action")), FLOWS)]
    flow = _innermost(data)
    found, problems = examined(flow, rules)
    if problems:
        raise errors.validation(problems)
    if found["module"] == RECORD_CALL:
        record_call.parse(found.get("data", {}), actions=record_call.LIVE_ACTIONS, within="data")


def _innermost(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metaflow: the outermost object that names a module, else `data` itself."""
    flow = data
    for _ in range(DEEPEST):
        if "module" in flow or not isinstance(flow.get("data"), dict):
            break
        flow = flow["data"]
    return flow if "module" in flow else data


def _action(given: object, known: Mapping[str, Rules]) -> str:
    """Return the action that is asked for. Raises KazooError."""
    if isinstance(given, str) and given in known:
        return given
    if given is None:
        raise _unknown(Invalid("action", "required", "Field is required but missing"))
    raise _unknown(Invalid("action", "enum", "Value not found in enumerated list of values", target=list(known)))


def _unknown(problem: Invalid) -> KazooError:
    return KazooError(400, INVALID_DATA, {problem.field: {problem.rule: problem.shown()}})
