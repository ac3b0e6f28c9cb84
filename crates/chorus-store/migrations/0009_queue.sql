-- Projects that are held up are found without reading all of them.

CREATE INDEX projects_held_up ON projects (id) WHERE state IN ('needs_attention', 'paused');
