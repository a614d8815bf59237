"""Sending recordings out: orders as durable rows, sent one by one, tried again, dead letters.

Knows HTTP as a client, and nothing of who ordered: a URL comes here whole, composed by whoever knows its vendor. URLs
hold secrets; nothing that this room tells ever shows more of one than its host and the file's name.
"""

from voxkeep.deliver.deliveries import DELIVERY_FAILED, Deliveries
from voxkeep.deliver.errors import BadTarget, BeingSent, DeliverError, UnknownDelivery, WasDelivered
from voxkeep.deliver.guard import Guard
from voxkeep.deliver.migrations import MIGRATIONS
from voxkeep.deliver.rows import Delivery, Ordered, State
from voxkeep.deliver.targets import Method, Target, checked_url

__all__ = [
    "DELIVERY_FAILED",
    "MIGRATIONS",
    "BadTarget",
    "BeingSent",
    "DeliverError",
    "Deliveries",
    "Delivery",
    "Guard",
    "Method",
    "Ordered",
    "State",
    "Target",
    "UnknownDelivery",
    "WasDelivered",
    "checked_url",
]
