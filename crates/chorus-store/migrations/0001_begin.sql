-- Everything the store keeps, for SQLite and PostgreSQL alike: TEXT, BIGINT and DOUBLE PRECISION only; times are
-- milliseconds, money is millionths of a dollar, ids and enums are text, JSON is text, flags are 0 or 1.

CREATE TABLE projects (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    head TEXT NOT NULL,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    over BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    budget BIGINT NOT NULL,
    spent BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    wasted BIGINT NOT NULL,
    decided TEXT,
    UNIQUE (tenant, idempotency_key)
);
CREATE INDEX projects_by_age ON projects (tenant, created_at, id);

CREATE TABLE tasks (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    task TEXT NOT NULL,
    PRIMARY KEY (project, id)
);

CREATE TABLE events (
    project TEXT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (project, seq)
);

CREATE TABLE attempts (
    id TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    task TEXT NOT NULL,
    spec TEXT NOT NULL,
    work_order TEXT NOT NULL,
    not_before BIGINT NOT NULL,
    state TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    holder TEXT,
    beat_at BIGINT,
    created_at BIGINT NOT NULL,
    queued_at BIGINT NOT NULL,
    lost BIGINT NOT NULL,
    retries BIGINT NOT NULL,
    continues BIGINT NOT NULL,
    refused_by TEXT
);
CREATE INDEX attempts_queued ON attempts (created_at, id) WHERE state = 'queued';
CREATE INDEX attempts_under_way ON attempts (state, beat_at) WHERE state IN ('dispatched', 'running');

CREATE TABLE deliveries (
    attempt TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    project TEXT NOT NULL,
    task TEXT NOT NULL,
    kind TEXT NOT NULL,
    lease TEXT NOT NULL,
    not_after BIGINT NOT NULL,
    assignment TEXT NOT NULL,
    estimate BIGINT NOT NULL,
    term BIGINT NOT NULL,
    dispatched_at BIGINT NOT NULL,
    claimed_at BIGINT,
    holder TEXT,
    deadline BIGINT,
    ended_at BIGINT,
    end_word TEXT,
    outcome TEXT,
    usage TEXT,
    cost BIGINT NOT NULL,
    late TEXT,
    PRIMARY KEY (attempt, epoch)
);
CREATE INDEX deliveries_by_project ON deliveries (project, dispatched_at, attempt, epoch);
CREATE INDEX deliveries_unclaimed ON deliveries (not_after) WHERE claimed_at IS NULL AND end_word IS NULL;
CREATE INDEX deliveries_by_deadline ON deliveries (deadline) WHERE claimed_at IS NOT NULL;

CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    topic TEXT NOT NULL,
    folds BIGINT NOT NULL,
    record_key TEXT NOT NULL,
    headers TEXT NOT NULL,
    payload TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    sent_at BIGINT,
    folded_at BIGINT
);
CREATE INDEX outbox_unsent ON outbox (created_at, id) WHERE sent_at IS NULL;
CREATE INDEX outbox_unfolded ON outbox (sent_at, id) WHERE folds = 1 AND folded_at IS NULL;

CREATE TABLE folded (
    event TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    folded_at BIGINT NOT NULL
);

CREATE TABLE leaders (
    name TEXT NOT NULL PRIMARY KEY,
    term BIGINT NOT NULL,
    boot TEXT NOT NULL,
    until BIGINT NOT NULL
);

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    entitlement TEXT NOT NULL,
    same_owner_spill BIGINT NOT NULL,
    UNIQUE (tenant, name)
);

CREATE TABLE credentials (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    tenant TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    provider TEXT NOT NULL,
    base_url TEXT,
    sealed TEXT NOT NULL,
    key_id TEXT NOT NULL,
    groups TEXT NOT NULL,
    state TEXT NOT NULL,
    UNIQUE (tenant, fingerprint)
);
CREATE INDEX credentials_by_account ON credentials (account, id);

CREATE TABLE artifacts (
    hash TEXT NOT NULL PRIMARY KEY,
    content TEXT NOT NULL
);
