-- Version 6. Orders are remembered with what tells them apart, and several of them may have one id.

CREATE TABLE known_key (
  digest TEXT NOT NULL,
  place INTEGER NOT NULL CHECK (place >= 0),  -- among the orders of one id; 0 at the key of an event
  delivery_id INTEGER NOT NULL,
  expires_at REAL NOT NULL,
  known TEXT,                                 -- of an order, as JSON: its id, its buyer, its total; NULL at an event
  learned INTEGER NOT NULL DEFAULT 0 CHECK (learned IN (0, 1)),  -- 1: a repetition told it of the delivery
  PRIMARY KEY (digest, place)
) STRICT, WITHOUT ROWID;
INSERT INTO known_key (digest, place, delivery_id, expires_at) SELECT digest, 0, delivery_id, expires_at FROM dedup_key;
DROP TABLE dedup_key;
ALTER TABLE known_key RENAME TO dedup_key;
CREATE INDEX dedup_key_expires ON dedup_key (expires_at);
-- A delivery that dies lets go of what was learned of it, too.
CREATE INDEX dedup_key_learned ON dedup_key (delivery_id) WHERE learned = 1;
