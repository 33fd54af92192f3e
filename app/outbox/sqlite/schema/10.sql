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

-- Events as received that made no delivery, sealed, for as long as somebody may mend what kept them from it.
CREATE TABLE quarantined (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL,
  ends_at REAL NOT NULL,
  source TEXT NOT NULL,
  is_proven INTEGER NOT NULL CHECK (is_proven IN (0, 1)),  -- whether its sender was known by a secret
  name TEXT NOT NULL,
  exit TEXT NOT NULL,
  reason TEXT NOT NULL,
  message_id TEXT NOT NULL,
  keys TEXT NOT NULL,        -- a JSON array: the HMACs of its ids
  sealed TEXT NOT NULL       -- encrypted; the key is not here
) STRICT;
CREATE UNIQUE INDEX quarantined_message ON quarantined (source, message_id);
CREATE INDEX quarantined_ends ON quarantined (ends_at);
