-- Records that were sent long ago are found without reading all of them.

CREATE INDEX outbox_sent ON outbox (sent_at, id) WHERE sent_at IS NOT NULL;
