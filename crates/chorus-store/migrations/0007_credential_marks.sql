-- Evidence of a credential's state, as JSON: its time and its source. Newer evidence wins.

ALTER TABLE credentials ADD COLUMN mark TEXT;
