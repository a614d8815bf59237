"""The tables of access.

A tenant's limits and its running state stand in one row, so that a request is admitted in few statements. The audit
trail is clustered on time; its key is given here, so that writing an entry twice keeps one.
"""

from voxkeep.database import Migrations

FIRST = """
CREATE TABLE access_epoch (id {big} PRIMARY KEY, epoch {big} NOT NULL);
INSERT INTO access_epoch VALUES (1, 1);

CREATE TABLE access_users (id {big} PRIMARY KEY, name TEXT NOT NULL, created_at {big} NOT NULL);
CREATE UNIQUE INDEX access_users_name ON access_users (name);
CREATE TABLE access_grants (
    user_id {big} NOT NULL, tenant {big} NOT NULL, permissions TEXT NOT NULL, agents TEXT NOT NULL,
    skills TEXT NOT NULL,
    PRIMARY KEY (user_id, tenant)
) {clustered};
CREATE TABLE access_tokens (
    hash TEXT NOT NULL PRIMARY KEY, user_id {big} NOT NULL, hint TEXT NOT NULL, created_at {big} NOT NULL,
    expires_at {big}
) {clustered};
CREATE INDEX access_tokens_user ON access_tokens (user_id);

CREATE TABLE access_meters (
    tenant {big} PRIMARY KEY,
    enabled {big} NOT NULL, egress_cap_bytes {big}, listing_limited {big} NOT NULL,
    api_enabled {big} NOT NULL,
    accepted TEXT NOT NULL, used_bytes {big} NOT NULL, oldest_at {big}, newest_at {big}, resets {big} NOT NULL
);
CREATE TABLE access_egress (
    tenant {big} NOT NULL, at {big} NOT NULL, bytes {big} NOT NULL,
    PRIMARY KEY (tenant, at)
) {clustered};

CREATE TABLE access_audit (
    at {big} NOT NULL, seq {big} NOT NULL, user_name TEXT NOT NULL, tenant {big}, action TEXT NOT NULL,
    subject TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, remote TEXT NOT NULL,
    PRIMARY KEY (at, seq)
) {clustered};
CREATE INDEX access_audit_tenant ON access_audit (tenant, at, seq)
"""

PASSWORDS = """
CREATE TABLE access_passwords (
    tenant {big} NOT NULL, purpose TEXT NOT NULL, hash TEXT NOT NULL, created_at {big} NOT NULL,
    PRIMARY KEY (tenant, purpose)
) {clustered}
"""

MIGRATIONS = Migrations("access", [FIRST, PASSWORDS])
