-- The queue is read in parts: half of a line by age and half by the longest path, counted with the sizes of its calls;
-- and what was queued or came due lately.

ALTER TABLE attempts ADD COLUMN path BIGINT NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN size_input BIGINT NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN size_output BIGINT NOT NULL DEFAULT 0;
DROP INDEX attempts_queued;
CREATE INDEX attempts_by_path ON attempts (line, path DESC, created_at, id, project, size_input, size_output) WHERE state = 'queued';
CREATE INDEX attempts_queued_at ON attempts (queued_at, id) WHERE state = 'queued';
CREATE INDEX attempts_due ON attempts (not_before, id) WHERE state = 'queued';
