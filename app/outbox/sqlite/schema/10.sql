-- Version 10. The inventory: what arrives, by the name that it arrives under.

-- By hour (span_s 3600), forgotten after some days, and by day (86400).
CREATE TABLE inventory (
  span_s INTEGER NOT NULL CHECK (span_s IN (3600, 86400)),
  counted TEXT NOT NULL,
  start_at INTEGER NOT NULL,
  source TEXT NOT NULL,
  type TEXT NOT NULL,
  name TEXT NOT NULL,
  label TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (span_s, counted, start_at, source, type, name, label)
) STRICT, WITHOUT ROWID;
-- To forget a name.
CREATE INDEX inventory_name ON inventory (name, type, source);
