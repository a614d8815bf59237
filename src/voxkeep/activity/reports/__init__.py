"""The standard reports (reference 5.2): each a table over a tenant and a time, whatever form it is given in then.

Knows the definitions and the table model; nothing of forms, of vendors, of who asks. A report is one module here with
a `REPORT`, named in `MODULES`.
"""

from collections.abc import Mapping
from importlib import import_module

from voxkeep.activity.reports.asked import DEFAULTS, Asked, BadAsked, Options, Parameter, SkillName, Slot
from voxkeep.activity.reports.reading import Reader
from voxkeep.activity.reports.report import Report

__all__ = [
    "DEFAULTS", "MODULES", "REPORTS", "Asked", "BadAsked", "Options", "Parameter", "Reader", "Report", "SkillName",
    "Slot",
]  # fmt: skip

MODULES = (
    "abandoned_calls",
    "agent_call_summary",
    "agent_call_summary_by_skill",
    "agent_call_volume",
    "agent_calls",
    "agent_chat_summary",
    "agent_feature_trace",
    "agent_reason_code_trace",
    "call_details",
    "call_performance",
    "call_volume",
    "cradle_to_grave",
    "external_number_summary",
    "missed_call_summary",
    "skill_call_summary",
    "skill_call_volume",
)


def _report(module: str) -> Report:
    report: Report = import_module(f"{__name__}.{module}").REPORT
    return report


REPORTS: Mapping[str, Report] = {report.name: report for report in map(_report, MODULES)}
"""By name."""
