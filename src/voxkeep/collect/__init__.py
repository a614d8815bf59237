"""The collector: brings every recording that a vendor lists into the archive, and tells what became of each.

Plans windows, keeps the pace, fetches, verifies, keeps, reports. Defines what a vendor's source must do
(`voxkeep.collect.source.Source`), and how HTTP is asked (`voxkeep.collect.http`); knows no vendor.
"""

from voxkeep.collect.migrations import MIGRATIONS
from voxkeep.collect.report import RunReport, SourceReport
from voxkeep.collect.run import Order, collect
from voxkeep.collect.source import Connection, Source
from voxkeep.collect.store import SourceConfig, Sources

__all__ = [
    "MIGRATIONS",
    "Connection",
    "Order",
    "RunReport",
    "Source",
    "SourceConfig",
    "SourceReport",
    "Sources",
    "collect",
]
