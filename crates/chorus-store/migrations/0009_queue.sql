-- Models that refused the request of an attempt, as JSON: another one is tried. Projects that are held up are found
-- without reading all of them.

ALTER TABLE attempts ADD COLUMN unfit TEXT;
CREATE INDEX projects_held_up ON projects (id) WHERE state IN ('needs_attention', 'paused');
