"""The tables of the Kazoo dialect: accounts, their numbers and users, what opens them.

Of secrets only hashes stand here: random ones (tokens, API keys, push secrets) as their SHA-256, passwords as two keys
derived with the account's salt and cost, see `credentials`.
"""

from voxkeep.database import Migrations
from voxkeep.vendors.kazoo.pushtables import PUSHES

ACCOUNTS = """
CREATE TABLE kazoo_accounts (
    id TEXT NOT NULL PRIMARY KEY, tenant {big} NOT NULL, name TEXT NOT NULL, name_key TEXT NOT NULL,
    realm TEXT NOT NULL, parent TEXT NOT NULL, salt {bytes} NOT NULL, cost {big} NOT NULL, created_at {big} NOT NULL
) {clustered};
CREATE UNIQUE INDEX kazoo_accounts_tenant ON kazoo_accounts (tenant);
CREATE UNIQUE INDEX kazoo_accounts_realm ON kazoo_accounts (realm);
CREATE TABLE kazoo_numbers (digits TEXT NOT NULL PRIMARY KEY, number TEXT NOT NULL, account TEXT NOT NULL) {clustered};

CREATE TABLE kazoo_users (
    id TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, username TEXT NOT NULL,
    first_name TEXT NOT NULL, last_name TEXT NOT NULL,
    agent_name TEXT NOT NULL, agent_extension TEXT NOT NULL, agent_login TEXT NOT NULL,
    md5_key {bytes} NOT NULL, sha_key {bytes} NOT NULL, created_at {big} NOT NULL
) {clustered};
CREATE UNIQUE INDEX kazoo_users_username ON kazoo_users (account, username);
CREATE INDEX kazoo_users_md5 ON kazoo_users (account, md5_key);
CREATE INDEX kazoo_users_sha ON kazoo_users (account, sha_key);

CREATE TABLE kazoo_logins (
    hash TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, user_id TEXT NOT NULL,
    issued_at {big} NOT NULL, expires_at {big} NOT NULL, ended {big} NOT NULL
) {clustered};
CREATE INDEX kazoo_logins_user ON kazoo_logins (account, user_id);
CREATE INDEX kazoo_logins_expiry ON kazoo_logins (expires_at);

CREATE TABLE kazoo_api_keys (
    account TEXT NOT NULL PRIMARY KEY, hash TEXT NOT NULL, created_at {big} NOT NULL
) {clustered};
CREATE UNIQUE INDEX kazoo_api_keys_hash ON kazoo_api_keys (hash);
CREATE TABLE kazoo_push_secrets (
    account TEXT NOT NULL PRIMARY KEY, hash TEXT NOT NULL, created_at {big} NOT NULL
) {clustered};
CREATE UNIQUE INDEX kazoo_push_secrets_hash ON kazoo_push_secrets (hash)
"""

MIGRATIONS = Migrations("kazoo", [ACCOUNTS, PUSHES])
