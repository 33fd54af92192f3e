-- Version 11. What is remembered under an id is found by a number: `person_id` of its key (see person_ids.py).
--
-- Rows of a table without numbers stand in every page of its tree, and where they are long few fit into one: of a million
-- people a look-up passed seven pages. Above rows with numbers stand only numbers, some hundred in a page: it passes three.

CREATE TABLE numbered_person (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,         -- whose key has the number of another's is not remembered
  linked_to TEXT,            -- the key of a user
  linked_id INTEGER,         -- and its number
  linked_at REAL,
  seen_at REAL NOT NULL,
  stale_at REAL,             -- when the first part of `record` is too old; NULL where nothing is left
  revision INTEGER NOT NULL CHECK (revision > 0),
  record TEXT NOT NULL       -- JSON
) STRICT;
INSERT INTO numbered_person (id, key, linked_to, linked_id, linked_at, seen_at, stale_at, revision, record)
SELECT person_id(key), key, linked_to, person_id(linked_to), linked_at, seen_at, stale_at, revision, record
FROM person WHERE true ORDER BY key
ON CONFLICT DO NOTHING;

DROP TABLE person;
ALTER TABLE numbered_person RENAME TO person;
CREATE INDEX person_linked ON person (linked_id, linked_at) WHERE linked_id IS NOT NULL;
CREATE INDEX person_seen ON person (seen_at);
CREATE INDEX person_stale ON person (stale_at);
UPDATE memory_size SET count = (SELECT count(*) FROM person) WHERE kind = 'person';
CREATE TRIGGER person_enters AFTER INSERT ON person BEGIN
  UPDATE memory_size SET count = count + 1 WHERE kind = 'person';
END;
CREATE TRIGGER person_leaves AFTER DELETE ON person BEGIN
  UPDATE memory_size SET count = count - 1 WHERE kind = 'person';
END;
