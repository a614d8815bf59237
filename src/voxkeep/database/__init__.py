"""The database: one small async interface, one driver file for each engine, migrations.

Knows rows and transactions; does not know what is in them.
"""

from voxkeep.database.interface import Database, DatabaseError, DatabaseFull, Row, Transaction, Value, Work
from voxkeep.database.migrations import Migrations, migrate

__all__ = [
    "Database",
    "DatabaseError",
    "DatabaseFull",
    "Migrations",
    "Row",
    "Transaction",
    "Value",
    "Work",
    "migrate",
]
