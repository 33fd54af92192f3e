-- Version 2: the channel of an order; trusted events and opt-outs by these names.

ALTER TABLE delivery ADD COLUMN channel TEXT NOT NULL DEFAULT '';       -- such as pos; '' if no trusted event names it
ALTER TABLE dropped_event ADD COLUMN channel TEXT NOT NULL DEFAULT '';

-- The sums of orders by channel: the table has another key, and the triggers that fill the table have one more column.
DROP TRIGGER order_moves;
DROP TRIGGER public_order_moves;
DROP TRIGGER order_changes;
DROP TRIGGER order_dropped;
DROP VIEW earned;
ALTER TABLE revenue RENAME TO revenue_without_channel;
CREATE TABLE revenue (
  day INTEGER NOT NULL,                  -- counted from 1970 (UTC)
  ad_account_id TEXT NOT NULL,           -- '', as the preset, of what reached none
  preset TEXT NOT NULL,
  source TEXT NOT NULL,
  channel TEXT NOT NULL,                 -- as in `delivery`
  currency TEXT NOT NULL,                -- '' where none was named
  became TEXT NOT NULL,                  -- waiting, delivered, dead, dismissed, or the exit of a dropped event;
                                         -- public, unconfirmed: of those that are delivered
  orders INTEGER NOT NULL,
  without_amount INTEGER NOT NULL,       -- of these, those that name no amount
  millionths INTEGER NOT NULL,           -- of the currency
  largest INTEGER,                       -- the largest amount of a delivery that was ever counted here, and the delivery
  largest_id INTEGER,
  PRIMARY KEY (day, ad_account_id, preset, source, channel, currency, became)
) STRICT, WITHOUT ROWID;
INSERT INTO revenue
SELECT day, ad_account_id, preset, source, '', currency, became, orders, without_amount, millionths, largest, largest_id
FROM revenue_without_channel;
DROP TABLE revenue_without_channel;

-- Counts an order that came at a moment: `sign` 1 adds it, -1 takes it away. An amount of more than ten digits is none.
CREATE VIEW earned AS
SELECT NULL AS at, NULL AS ad_account_id, NULL AS preset, NULL AS source, NULL AS channel, NULL AS currency, NULL AS became, NULL AS sign,
       NULL AS amount, NULL AS id;
CREATE TRIGGER count_order INSTEAD OF INSERT ON earned BEGIN
  INSERT INTO revenue
  SELECT CAST(new.at / 86400 AS INTEGER), coalesce(new.ad_account_id, ''), coalesce(new.preset, ''), new.source,
         new.channel, coalesce(new.currency, ''), new.became, new.sign, new.sign * (worth IS NULL), new.sign * coalesce(worth, 0),
         CASE WHEN new.sign = 1 AND new.id IS NOT NULL THEN worth END,
         CASE WHEN new.sign = 1 AND worth IS NOT NULL THEN new.id END
  FROM (SELECT CASE
    WHEN new.amount GLOB '[0-9]*' AND NOT new.amount GLOB '*[^0-9.]*' AND NOT new.amount GLOB '*.*.*'
         AND instr(new.amount || '.', '.') <= 11
    THEN CAST(substr(new.amount, 1, instr(new.amount || '.', '.') - 1) AS INTEGER) * 1000000
       + CAST(substr(substr(new.amount, instr(new.amount || '.', '.') + 1) || '000000', 1, 6) AS INTEGER)
  END AS worth)
  WHERE true
  ON CONFLICT DO UPDATE SET
    orders = orders + excluded.orders,
    without_amount = without_amount + excluded.without_amount,
    -- beyond 64 bits a sum would be a float, which the column refuses
    millionths = max(min(millionths + excluded.millionths, 9000000000000000000), -9000000000000000000),
    largest_id = CASE WHEN excluded.largest > coalesce(largest, -1) THEN excluded.largest_id ELSE largest_id END,
    largest = CASE WHEN excluded.largest > coalesce(largest, -1) THEN excluded.largest ELSE largest END;
END;
CREATE TRIGGER order_moves AFTER UPDATE OF state ON delivery
WHEN new.event_name = 'checkout' AND old.state <> new.state
     AND NOT (old.state IN ('pending', 'claimed') AND new.state IN ('pending', 'claimed')) BEGIN
  INSERT INTO earned VALUES (
    old.enqueued_at, old.ad_account_id, old.preset, old.source, old.channel, old.currency,
    CASE WHEN old.state IN ('pending', 'claimed') THEN 'waiting' ELSE old.state END, -1, old.amount, old.id);
  INSERT INTO earned VALUES (
    new.enqueued_at, new.ad_account_id, new.preset, new.source, new.channel, new.currency,
    CASE WHEN new.state IN ('pending', 'claimed') THEN 'waiting' ELSE new.state END, 1, new.amount, new.id);
END;
CREATE TRIGGER public_order_moves AFTER UPDATE OF state ON delivery
WHEN new.event_name = 'checkout' AND new.state = 'delivered' AND old.state <> 'delivered' AND NOT new.is_proven BEGIN
  INSERT INTO earned VALUES (
    new.enqueued_at, new.ad_account_id, new.preset, new.source, new.channel, new.currency, 'public', 1, new.amount, NULL);
  INSERT INTO earned SELECT
    new.enqueued_at, new.ad_account_id, new.preset, new.source, new.channel, new.currency, 'unconfirmed', 1, new.amount, NULL
  WHERE instr(new.warnings, '"not confirmed by the shop"');
END;
CREATE TRIGGER order_changes AFTER UPDATE OF amount, currency, channel ON delivery
WHEN new.event_name = 'checkout'
     AND (old.amount IS NOT new.amount OR old.currency IS NOT new.currency OR old.channel <> new.channel) BEGIN
  INSERT INTO earned VALUES (
    old.enqueued_at, old.ad_account_id, old.preset, old.source, old.channel, old.currency, 'waiting', -1, old.amount, old.id);
  INSERT INTO earned VALUES (
    new.enqueued_at, new.ad_account_id, new.preset, new.source, new.channel, new.currency, 'waiting', 1, new.amount, new.id);
END;
CREATE TRIGGER order_dropped AFTER INSERT ON dropped_event WHEN coalesce(new.event_name = 'checkout', new.order_id IS NOT NULL) BEGIN
  INSERT INTO earned VALUES (
    new.at, new.ad_account_id, new.preset, new.source, new.channel, new.currency,
    iif(new.was_enqueued, 'withdrawn', new.exit), 1, new.amount, NULL);
END;

-- Events are trusted or public. SQLite renames columns in views, triggers and indexes as well.
ALTER TABLE delivery RENAME COLUMN is_proven TO is_trusted;
ALTER TABLE dropped_event RENAME COLUMN is_proven TO is_trusted;
ALTER TABLE dedup_key RENAME COLUMN is_proven TO is_trusted;
ALTER TABLE delivery_owner RENAME COLUMN is_proven TO is_trusted;
ALTER TABLE quarantined RENAME COLUMN is_proven TO is_trusted;
ALTER TABLE consent RENAME COLUMN is_proven TO is_trusted;
ALTER TABLE consent RENAME COLUMN for_proven TO for_trusted;
ALTER TABLE consent RENAME COLUMN is_no TO is_opt_out;
ALTER TABLE consent RENAME COLUMN said_by TO author;
DROP INDEX consent_said_by;
CREATE INDEX consent_author ON consent (author);

-- Generated columns read `is_trusted` in JSON. SQLite cannot change their expressions, so both tables are copied.
ALTER TABLE person RENAME TO person_of_version_1;
DROP INDEX person_linked;
DROP INDEX person_seen;
DROP INDEX person_stale;
CREATE TABLE person (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,                     -- a key with the number of another key is not remembered
  linked_to TEXT,                        -- the key of a user
  linked_id INTEGER,                     -- and its number
  linked_at REAL,
  seen_at REAL NOT NULL,
  stale_at REAL,                         -- when the first part of `record` expires; NULL if no part is left
  revision INTEGER NOT NULL CHECK (revision > 0),
  record TEXT NOT NULL,                  -- JSON
  -- What comes from trusted events: 2 the link, 1 another part, 0 no part. Public persons are removed first.
  trust INTEGER NOT NULL AS (
    CASE WHEN record ->> '$.link.is_trusted' THEN 2 ELSE instr(record, '"is_trusted":true') > 0 END
  ) STORED
) STRICT;
INSERT INTO person (id, key, linked_to, linked_id, linked_at, seen_at, stale_at, revision, record)
SELECT id, key, linked_to, linked_id, linked_at, seen_at, stale_at, revision,
       replace(replace(record, '"is_proven":', '"is_trusted":'), '"for_proven":', '"for_trusted":')
FROM person_of_version_1;
DROP TABLE person_of_version_1;
CREATE INDEX person_linked ON person (linked_id, linked_at) WHERE linked_id IS NOT NULL;
CREATE INDEX person_seen ON person (trust > 0, seen_at);
CREATE INDEX person_stale ON person (stale_at);
CREATE TRIGGER person_enters AFTER INSERT ON person BEGIN
  UPDATE memory_size SET count = count + 1 WHERE kind = 'person';
END;
CREATE TRIGGER person_leaves AFTER DELETE ON person BEGIN
  UPDATE memory_size SET count = count - 1 WHERE kind = 'person';
END;

ALTER TABLE suppression RENAME TO suppression_of_version_1;
DROP INDEX suppression_ends;
CREATE TABLE suppression (
  key TEXT PRIMARY KEY,
  record TEXT NOT NULL,                  -- JSON
  ends_at REAL AS (record ->> '$.ends_at') VIRTUAL,
  is_public INTEGER NOT NULL AS (instr(record, '"is_trusted":true') = 0) VIRTUAL
) STRICT, WITHOUT ROWID;
INSERT INTO suppression (key, record)
SELECT key, replace(replace(replace(record, '"is_proven":', '"is_trusted":'), '"for_proven":', '"for_trusted":'), '"nos":', '"opt_outs":')
FROM suppression_of_version_1;
DROP TABLE suppression_of_version_1;
CREATE INDEX suppression_ends ON suppression (ends_at) WHERE ends_at IS NOT NULL;
CREATE TRIGGER suppression_enters AFTER INSERT ON suppression BEGIN
  UPDATE memory_size SET count = count + 1 WHERE kind IN ('suppression', iif(NEW.is_public, 'public suppression', 'suppression'));
END;
CREATE TRIGGER suppression_changes AFTER UPDATE ON suppression WHEN OLD.is_public <> NEW.is_public BEGIN
  UPDATE memory_size SET count = count + NEW.is_public - OLD.is_public WHERE kind = 'public suppression';
END;
CREATE TRIGGER suppression_leaves AFTER DELETE ON suppression BEGIN
  UPDATE memory_size SET count = count - 1 WHERE kind IN ('suppression', iif(OLD.is_public, 'public suppression', 'suppression'));
END;
