"""The table of deliveries.

`url` alone holds a URL; `place` is what may be told of it. `target` is the hash of the URL as it was ordered: one
recording is sent to one target once. A row that is `sending` is somebody's until `next_at`.
"""

from voxkeep.database import Migrations

FIRST = """
CREATE TABLE deliveries (
    id {big} PRIMARY KEY, tenant {big} NOT NULL, recording {bytes} NOT NULL, target TEXT NOT NULL,
    key TEXT NOT NULL, url TEXT NOT NULL, place TEXT NOT NULL, method TEXT NOT NULL, media_type TEXT NOT NULL,
    form TEXT NOT NULL, state TEXT NOT NULL, ordered_at {big} NOT NULL, next_at {big} NOT NULL,
    sending {big} NOT NULL, attempts {big} NOT NULL, alarmed {big} NOT NULL, error TEXT NOT NULL,
    status {big}, done_at {big}, sha256 TEXT, size_bytes {big}
);
CREATE UNIQUE INDEX deliveries_target ON deliveries (tenant, recording, target);
CREATE INDEX deliveries_due ON deliveries (state, next_at);
CREATE INDEX deliveries_state ON deliveries (state, id)
"""

MIGRATIONS = Migrations("deliver", [FIRST])
