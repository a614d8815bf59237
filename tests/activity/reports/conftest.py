"""A real archive, as of activity's other tests, and what reads it for reports."""

import pytest
from tests.activity.conftest import acme, activity, clock, kept, new_tenant

from voxkeep.activity import Activity
from voxkeep.activity.reports import Reader
from voxkeep.archive import Archive

__all__ = ["acme", "activity", "clock", "kept", "new_tenant"]


@pytest.fixture
def reader(activity: Activity, kept: Archive) -> Reader:
    return Reader(activity, kept)
