"""What of activity runs in one process, shared by everything that is served there."""

from typing import NamedTuple

from voxkeep.activity.activity import Activity
from voxkeep.activity.dialler import Dialler


class Running(NamedTuple):
    """The one intake and the one that places calls."""

    activity: Activity
    dialler: Dialler | None = None
    """None where nobody can place a call."""
