"""The tables of activity.

A subject is whom events are about: a call, or a track of an agent (see `agents.track_of`). Events stand in the order in
which they came, and an index of small entries leads from a subject to its own. Measured with 2,000 calls going at once
in batches of 1,000 events: clustered on the subject instead, every event made a page of its own dirty.

Ids stand by themselves, so that those of a batch can be put in in their own order, each page once. Ids that grow with
time (UUIDv7) cost least.

`version` counts the batches that told something new of a call, `settled` is the one the archive knows; where they
differ, the call is yet to be handed over.
"""

from voxkeep.database import Migrations

FIRST = """
CREATE TABLE activity_subjects (
    number {big} PRIMARY KEY, tenant {big} NOT NULL, family {big} NOT NULL, key TEXT NOT NULL, track TEXT NOT NULL,
    began_at {big} NOT NULL, version {big} NOT NULL, settled {big} NOT NULL
);
CREATE UNIQUE INDEX activity_subjects_key ON activity_subjects (tenant, family, key, track);
CREATE INDEX activity_subjects_began ON activity_subjects (tenant, began_at, number) WHERE family = 0;
CREATE INDEX activity_subjects_unsettled ON activity_subjects (number) WHERE version <> settled;

CREATE TABLE activity_events (
    number {big} PRIMARY KEY, tenant {big} NOT NULL, subject {big} NOT NULL, at {big} NOT NULL, body {bytes} NOT NULL
);
CREATE INDEX activity_events_subject ON activity_events (subject, at);
CREATE TABLE activity_ids (tenant {big} NOT NULL, id TEXT NOT NULL, PRIMARY KEY (tenant, id)) {clustered};

CREATE TABLE activity_newest (tenant {big} PRIMARY KEY, at {big} NOT NULL)
"""

MIGRATIONS = Migrations("activity", [FIRST])
