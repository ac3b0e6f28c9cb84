-- Deliveries that ended lately are found without reading all of them: a new dispatcher learns from them.

CREATE INDEX deliveries_ended ON deliveries (ended_at, attempt, epoch) WHERE ended_at IS NOT NULL;
