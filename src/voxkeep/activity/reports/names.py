"""What people call events of calls and of agents."""

from collections.abc import Mapping

from voxkeep.activity.events import AgentKind, CallKind

_OTHERS = {CallKind.CALLBACK_CANCELLED: "Callback Canceled", CallKind.CALLBACK_ABORTED: "Callback Abort"}
EVENTS: Mapping[CallKind, str] = {kind: kind.replace("_", " ").title() for kind in CallKind} | _OTHERS
"""As reference 5.3 spells them."""
FEATURES: Mapping[AgentKind, str] = {
    AgentKind.READY: "Ready",
    AgentKind.IDLE: "Idle",
    AgentKind.DND: "DND",
    AgentKind.ACW: "ACW",
    AgentKind.LOGOUT: "Logout",
    AgentKind.SKILL_LOGIN: "Skill Login",
    AgentKind.SKILL_LOGOUT: "Skill Logout",
}
