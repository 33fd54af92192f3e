-- Version 9. What is remembered of people, by the HMAC of an id.

CREATE TABLE person (
  key TEXT PRIMARY KEY,
  linked_to TEXT,            -- the key of a user
  linked_at REAL,
  seen_at REAL NOT NULL,
  stale_at REAL,             -- when the first part of `record` is too old; NULL where nothing is left
  revision INTEGER NOT NULL CHECK (revision > 0),
  record TEXT NOT NULL       -- JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX person_linked ON person (linked_to, linked_at) WHERE linked_to IS NOT NULL;
CREATE INDEX person_seen ON person (seen_at);
CREATE INDEX person_stale ON person (stale_at);

-- Who said no, and when. Nothing but a yes removes it.
CREATE TABLE mark (
  key TEXT PRIMARY KEY,
  at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- How many rows the two have, so that nobody counts a million of them.
CREATE TABLE memory_size (
  kind TEXT PRIMARY KEY,
  count INTEGER NOT NULL CHECK (count >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO memory_size VALUES ('person', 0), ('mark', 0);
CREATE TRIGGER person_enters AFTER INSERT ON person BEGIN
  UPDATE memory_size SET count = count + 1 WHERE kind = 'person';
END;
CREATE TRIGGER person_leaves AFTER DELETE ON person BEGIN
  UPDATE memory_size SET count = count - 1 WHERE kind = 'person';
END;
CREATE TRIGGER mark_enters AFTER INSERT ON mark BEGIN
  UPDATE memory_size SET count = count + 1 WHERE kind = 'mark';
END;
CREATE TRIGGER mark_leaves AFTER DELETE ON mark BEGIN
  UPDATE memory_size SET count = count - 1 WHERE kind = 'mark';
END;

-- Whose deliveries there are. It is searched as a whole, and rarely: to erase somebody.
CREATE TABLE whose (
  id INTEGER PRIMARY KEY,
  message_id TEXT NOT NULL,
  user TEXT,                 -- keys
  anonymous TEXT,
  at REAL NOT NULL
) STRICT;
