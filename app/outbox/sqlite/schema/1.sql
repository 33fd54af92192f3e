-- Version 1. Times are Unix seconds. The CHECKs forbid every state that docs/outbox.md does not draw.

-- One event for one preset, and where it stands.
CREATE TABLE delivery (
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- grows with time and is never used again: keys outlive their delivery
  ad_account_id TEXT NOT NULL,
  preset TEXT NOT NULL,
  message_id TEXT NOT NULL,
  event_name TEXT NOT NULL,
  event_id TEXT NOT NULL,
  action_source TEXT NOT NULL,
  order_id TEXT,
  event_time INTEGER NOT NULL,
  warnings TEXT NOT NULL,                -- a JSON array of texts, and last what came from memory
  payload_bytes INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'claimed', 'delivered', 'dead', 'dismissed')),
  reason TEXT NOT NULL DEFAULT '',
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  enqueued_at REAL NOT NULL,
  due_at REAL,                           -- pending: when it may be claimed; claimed: when its lease ends
  settled_at REAL,
  claim TEXT,                            -- the token of the claim that holds it
  retried INTEGER GENERATED ALWAYS AS (attempts > 0) VIRTUAL,
  shelf INTEGER GENERATED ALWAYS AS (id >> 13) VIRTUAL,
  CHECK ((state IN ('delivered', 'dead', 'dismissed')) = (settled_at IS NOT NULL)),
  CHECK ((settled_at IS NULL) = (due_at IS NOT NULL)),
  CHECK ((state = 'claimed') = (claim IS NOT NULL)),
  CHECK (state <> 'claimed' OR attempts > 0)
) STRICT;

-- What may be claimed next: fresh deliveries and retries apart, expired leases among them.
CREATE INDEX delivery_due ON delivery (ad_account_id, retried, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_claim ON delivery (claim) WHERE claim IS NOT NULL;
CREATE INDEX delivery_unsettled ON delivery (ad_account_id, enqueued_at) WHERE settled_at IS NULL;
CREATE INDEX delivery_settled ON delivery (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX delivery_dead ON delivery (id) WHERE state = 'dead';
-- Message and event ids are random. An index over all of them would dirty a page of its own for every row written;
-- by shelves of 8,192 rows only the newest shelf is written to. A look-up asks each shelf once.
CREATE INDEX delivery_message ON delivery (shelf, message_id);
CREATE INDEX delivery_event ON delivery (shelf, event_id);

-- The finished event. Apart from its delivery, so that a change of state does not rewrite it.
CREATE TABLE payload (
  delivery_id INTEGER PRIMARY KEY REFERENCES delivery (id) ON DELETE CASCADE,
  version INTEGER NOT NULL CHECK (version > 0),
  body BLOB NOT NULL,
  erase_at REAL                          -- NULL while its delivery may still be sent
) STRICT;
CREATE INDEX payload_erase ON payload (erase_at) WHERE erase_at IS NOT NULL;

-- Tries at sending, in order.
CREATE TABLE attempt (
  delivery_id INTEGER NOT NULL REFERENCES delivery (id) ON DELETE CASCADE,
  place INTEGER NOT NULL CHECK (place > 0),
  number INTEGER NOT NULL CHECK (number > 0),
  at REAL NOT NULL,
  exit TEXT NOT NULL CHECK (exit IN ('delivered', 'retry', 'rejected', 'blocked')),
  status INTEGER,
  message TEXT NOT NULL,
  PRIMARY KEY (delivery_id, place)
) STRICT, WITHOUT ROWID;

-- Events that made no delivery, and why.
CREATE TABLE note (
  id INTEGER PRIMARY KEY,
  message_id TEXT NOT NULL,
  ad_account_id TEXT,                    -- NULL, and so the preset, where the event reached none
  preset TEXT,
  exit TEXT NOT NULL,
  reason TEXT NOT NULL,
  warnings TEXT NOT NULL,                -- a JSON array of texts
  at REAL NOT NULL,
  shelf INTEGER GENERATED ALWAYS AS (id >> 13) VIRTUAL
) STRICT;
CREATE INDEX note_message ON note (shelf, message_id);
CREATE INDEX note_at ON note (at);

-- What was enqueued within the window. Not tied to the ledger: a key ends with its window only.
CREATE TABLE dedup_key (
  digest TEXT PRIMARY KEY,
  delivery_id INTEGER NOT NULL,
  expires_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX dedup_key_expires ON dedup_key (expires_at);

-- How many deliveries stand where. Kept exact by the triggers below, so that nobody counts a million rows.
CREATE TABLE backlog (
  ad_account_id TEXT NOT NULL,
  state TEXT NOT NULL,
  count INTEGER NOT NULL CHECK (count >= 0),
  PRIMARY KEY (ad_account_id, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER delivery_enters AFTER INSERT ON delivery BEGIN
  INSERT INTO backlog VALUES (new.ad_account_id, new.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER delivery_moves AFTER UPDATE OF state ON delivery WHEN old.state <> new.state BEGIN
  UPDATE backlog SET count = count - 1 WHERE ad_account_id = old.ad_account_id AND state = old.state;
  INSERT INTO backlog VALUES (new.ad_account_id, new.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER delivery_leaves AFTER DELETE ON delivery BEGIN
  UPDATE backlog SET count = count - 1 WHERE ad_account_id = old.ad_account_id AND state = old.state;
END;

-- Counts by minute (span_s 60), rolled up into hours (span_s 3600) when they are old.
CREATE TABLE tally (
  span_s INTEGER NOT NULL CHECK (span_s IN (60, 3600)),
  start_at INTEGER NOT NULL,
  name TEXT NOT NULL,
  preset TEXT NOT NULL,
  label TEXT NOT NULL,
  ad_account_id TEXT NOT NULL,
  source TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (span_s, start_at, name, preset, label, ad_account_id, source)
) STRICT, WITHOUT ROWID;

-- What every process must know.
CREATE TABLE shared (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL,                   -- JSON
  revision INTEGER NOT NULL CHECK (revision > 0)
) STRICT, WITHOUT ROWID;

-- Written by `check` to prove that a commit succeeds.
CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), count INTEGER NOT NULL) STRICT;
INSERT INTO probe VALUES (1, 0);
