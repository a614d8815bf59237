"""The collector's tables."""

from voxkeep.database import Migrations

FIRST = """
CREATE TABLE collect_sources (
    name TEXT PRIMARY KEY, vendor TEXT NOT NULL, url TEXT NOT NULL, tenant {big} NOT NULL,
    secret_env TEXT, secret_file TEXT, pace_seconds DOUBLE PRECISION, zone TEXT NOT NULL,
    added_at {big} NOT NULL, watermark {big}, last_sent_at {big}
);
CREATE TABLE collect_items (
    source TEXT NOT NULL, vendor_key TEXT NOT NULL, started_at {big} NOT NULL, state TEXT NOT NULL,
    attempts {big} NOT NULL, last_error TEXT NOT NULL, evidence TEXT NOT NULL, call_known {big} NOT NULL,
    first_seen {big} NOT NULL, last_seen {big} NOT NULL,
    PRIMARY KEY (source, vendor_key)
) {clustered};
CREATE INDEX collect_items_started ON collect_items (source, started_at);
CREATE TABLE collect_runs (
    id {big} PRIMARY KEY, source TEXT NOT NULL, started_at {big} NOT NULL, ended_at {big}, exit_code {big},
    report TEXT
);
CREATE INDEX collect_runs_source ON collect_runs (source, id)
"""

SECOND = """
ALTER TABLE collect_sources ADD COLUMN options TEXT NOT NULL DEFAULT '{{}}';
ALTER TABLE collect_sources ADD COLUMN second_secret_env TEXT;
ALTER TABLE collect_sources ADD COLUMN second_secret_file TEXT
"""

MIGRATIONS = Migrations("collect", [FIRST, SECOND])
