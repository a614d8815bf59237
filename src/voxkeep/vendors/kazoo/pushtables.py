"""The tables of pushes: what came under which path, and the files by which storage plans are tried.

`account` is whose secret a push came with, `tenant` whose recording it is. `query` and `document` keep what was told
and does not stand in the recording.
"""

PUSHES = """
CREATE TABLE kazoo_pushes (
    account TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, tenant {big} NOT NULL,
    recording {bytes} NOT NULL, received_at {big} NOT NULL, size {big} NOT NULL, flag TEXT NOT NULL,
    query TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (account, path, sha256, tenant)
) {clustered};
CREATE TABLE kazoo_probes (
    account TEXT NOT NULL, path TEXT NOT NULL, content_type TEXT NOT NULL, body {bytes} NOT NULL,
    received_at {big} NOT NULL,
    PRIMARY KEY (account, path)
) {clustered}
"""
"""A step of the dialect's migrations."""
