-- Queued attempts are read by line (project and kind of task), so that a long line hides no other. The dispatcher
-- records why an attempt waits, as JSON; workers announce their slots.

ALTER TABLE attempts ADD COLUMN line TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN wait TEXT;
UPDATE attempts SET line = project WHERE state = 'queued';
CREATE INDEX attempts_in_line ON attempts (line, created_at, id) WHERE state = 'queued';
CREATE INDEX attempts_waiting ON attempts (project, created_at, id) WHERE state = 'queued';

ALTER TABLE deliveries ADD COLUMN pool TEXT NOT NULL DEFAULT '';

CREATE TABLE worker_slots (
    boot TEXT NOT NULL,
    pool TEXT NOT NULL,
    slots BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (boot, pool)
);
