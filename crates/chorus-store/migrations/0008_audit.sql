-- Acts of operators, append-only, and the end of a key as its operator gave it. Uses of accounts are the rows of
-- deliveries, newest first.

CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    at BIGINT NOT NULL,
    caller TEXT NOT NULL,
    action TEXT NOT NULL,
    account TEXT,
    account_name TEXT NOT NULL,
    project TEXT,
    detail TEXT NOT NULL
);
CREATE INDEX audit_of_tenant ON audit (tenant, at);
CREATE INDEX audit_of_project ON audit (project) WHERE action = 'submit';

CREATE INDEX deliveries_by_dispatch ON deliveries (dispatched_at);

ALTER TABLE credentials ADD COLUMN expires_at BIGINT;
