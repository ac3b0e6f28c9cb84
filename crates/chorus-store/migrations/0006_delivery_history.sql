-- The ended deliveries of one project are read page by page, and its calls under way without those that ended.

CREATE INDEX deliveries_of_project_ended ON deliveries (project, ended_at, attempt, epoch) WHERE ended_at IS NOT NULL;
CREATE INDEX deliveries_of_project_open ON deliveries (project, dispatched_at) WHERE ended_at IS NULL;
