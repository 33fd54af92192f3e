PRAGMA application_id=1347557401;
PRAGMA user_version=1;
BEGIN TRANSACTION;
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
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL,
  who TEXT NOT NULL,
  place TEXT NOT NULL,
  what TEXT NOT NULL,
  target TEXT NOT NULL,
  was TEXT NOT NULL,
  became TEXT NOT NULL
) STRICT;
INSERT INTO "audit" VALUES(1,1.79624471857735395e+09,'operator (command line)','host','imported events','1 file','','2 enqueued, 1 invalid');
CREATE TABLE backlog (
  ad_account_id TEXT NOT NULL,
  state TEXT NOT NULL,
  count INTEGER NOT NULL CHECK (count >= 0),
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  PRIMARY KEY (ad_account_id, state)
) STRICT, WITHOUT ROWID;
INSERT INTO "backlog" VALUES('1000000000001','pending',2,418);
CREATE TABLE consent (
  key TEXT NOT NULL,
  said_by TEXT NOT NULL,                 -- the key of a browser, or of a user; '' where nobody is named
  is_proven INTEGER NOT NULL CHECK (is_proven IN (0, 1)),
  user TEXT NOT NULL,                    -- the key of the user that was named beside it; '' where none was
  for_proven INTEGER NOT NULL CHECK (for_proven IN (0, 1)),
  is_no INTEGER NOT NULL CHECK (is_no IN (0, 1)),
  kind TEXT NOT NULL,
  at REAL NOT NULL,
  total TEXT NOT NULL,                   -- of an order, such as 'USD 249.00'
  source TEXT NOT NULL,
  turn INTEGER NOT NULL,                 -- grows with every row that is new, or says something else
  PRIMARY KEY (key, said_by, is_proven)
) STRICT, WITHOUT ROWID;
CREATE TABLE counter (
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
INSERT INTO "counter" VALUES(60,1796244660,'accepted','','','','default',3);
INSERT INTO "counter" VALUES(60,1796244660,'enqueued','Order Completed','','1000000000001','default',1);
INSERT INTO "counter" VALUES(60,1796244660,'enqueued','Sign Up','','1000000000001','default',1);
INSERT INTO "counter" VALUES(60,1796244660,'invalid','Page Visit','user_data needs at least one of em (email), hashed_maids, or client_ip_address together with client_user_agent','1000000000001','default',1);
INSERT INTO "counter" VALUES(60,1796244660,'matched','Order Completed','','1000000000001','default',1);
INSERT INTO "counter" VALUES(60,1796244660,'matched','Page Visit','','1000000000001','default',1);
INSERT INTO "counter" VALUES(60,1796244660,'matched','Sign Up','','1000000000001','default',1);
INSERT INTO "counter" VALUES(60,1796244660,'quality','Order Completed','external_event_id','1000000000001','default',1);
INSERT INTO "counter" VALUES(60,1796244660,'quality','Order Completed','hashed_email','1000000000001','default',1);
INSERT INTO "counter" VALUES(60,1796244660,'quality','Order Completed','order_id','1000000000001','default',1);
INSERT INTO "counter" VALUES(60,1796244660,'quality','Order Completed','order_value','1000000000001','default',1);
INSERT INTO "counter" VALUES(60,1796244660,'quality','Sign Up','external_event_id','1000000000001','default',1);
INSERT INTO "counter" VALUES(60,1796244660,'quality','Sign Up','hashed_email','1000000000001','default',1);
CREATE TABLE counter_sum (
  span_s INTEGER NOT NULL CHECK (span_s IN (3600, 21600, 86400)),
  start_at INTEGER NOT NULL,
  name TEXT NOT NULL,
  preset TEXT NOT NULL,
  label TEXT NOT NULL,
  ad_account_id TEXT NOT NULL,
  source TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (span_s, start_at, name, preset, label, ad_account_id, source)
) STRICT, WITHOUT ROWID;
CREATE TABLE dedup_key (
  digest TEXT NOT NULL,
  place INTEGER NOT NULL CHECK (place >= 0),  -- among the orders of one id; 0 at the key of an event
  delivery_id INTEGER NOT NULL,
  expires_at REAL NOT NULL,
  known TEXT,                            -- JSON: of an order its id, buyer, total and side; of an id by number its source
  is_proven INTEGER NOT NULL DEFAULT 0 CHECK (is_proven IN (0, 1)),  -- whether its author was known by a secret
  learned INTEGER NOT NULL DEFAULT 0 CHECK (learned IN (0, 1)),  -- 1: a repetition told it of the delivery
  PRIMARY KEY (digest, place)
) STRICT, WITHOUT ROWID;
INSERT INTO "dedup_key" VALUES('81d9nGaPYiD10mGRkeAu',0,2,1.79684951848730254e+09,'"default"',1,0);
INSERT INTO "dedup_key" VALUES('82odQYXGUrYxnLbH2Q39',0,1,1.79684951848730254e+09,'"default"',1,0);
INSERT INTO "dedup_key" VALUES('dg4hlr5hd2IFJlIJP/LR',0,1,1.79883671848730254e+09,'["SO-1",["b5fc85e55755f9e0d030a10ab4429b6b"],"20","USD"]',1,0);
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
  traceparent TEXT,                      -- as W3C writes it (55 characters); NULL where it is not traced
  source TEXT NOT NULL,
  name TEXT NOT NULL,                    -- of the event, as received
  amount TEXT,                           -- value and currency as sent
  currency TEXT,
  checkout_id TEXT,
  buyer TEXT NOT NULL,                   -- a JSON array of digests of e-mail addresses; empty where it is no checkout
  is_proven INTEGER NOT NULL DEFAULT 0 CHECK (is_proven IN (0, 1)),  -- whether its author was known by a secret
  shop TEXT NOT NULL DEFAULT '',         -- to which its source belongs; '' where it names none
  side TEXT,                             -- of a checkout, as JSON: what binds it to the same order from the other side
  owner TEXT,                            -- whose it is, as the view `message_owner` reads it; NULL: `delivery_owner` tells
  merged INTEGER NOT NULL DEFAULT 0,     -- how many other messages are in it
  -- What it waits for, pending: 0 its other side, -1 the same, without which it is not sent, else what becomes of that
  -- delivery.
  follows INTEGER,
  payload_bytes INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending', -- pending, claimed, delivered, dead, dismissed
  -- 1 where the preset of a pending delivery is switched off. Such a delivery is in no index that a claim reads, so that
  -- a million of them cost nothing and hide nobody; `delivery_held` finds them when the preset is on again.
  held INTEGER NOT NULL DEFAULT 0,
  hold_until REAL,                       -- pending: held by its preset, until hold_clock.py shows this
  reason TEXT NOT NULL DEFAULT '',
  attempts INTEGER NOT NULL DEFAULT 0,
  enqueued_at REAL NOT NULL,
  due_at REAL,                           -- pending: when it may be claimed, held: about when; claimed: when its lease ends
  settled_at REAL,
  claim TEXT,                            -- the token of the claim that holds it
  retried INTEGER GENERATED ALWAYS AS (attempts > 0) VIRTUAL,
  shelf INTEGER GENERATED ALWAYS AS (id >> 11) VIRTUAL,
  -- One for all: SQLite asks it at each write, and each CHECK of its own takes as long.
  CHECK (CASE state
    WHEN 'pending' THEN claim IS NULL AND settled_at IS NULL AND due_at IS NOT NULL AND attempts >= 0
      AND (held = 0 OR held = 1)
    WHEN 'claimed' THEN claim IS NOT NULL AND settled_at IS NULL AND due_at IS NOT NULL AND attempts > 0
      AND held = 0 AND hold_until IS NULL AND follows IS NULL
    ELSE (state = 'delivered' OR state = 'dead' OR state = 'dismissed')
      AND claim IS NULL AND settled_at IS NOT NULL AND due_at IS NULL AND attempts >= 0
      AND held = 0 AND hold_until IS NULL AND follows IS NULL
  END)
) STRICT;
INSERT INTO "delivery" VALUES(1,'1000000000001','Order Completed','old-1','checkout','old-1','web','SO-1',1796244716,'[]',NULL,'default','Order Completed','20','USD',NULL,'["b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72"]',1,'',NULL,'                                1b5fc85e55755f9e0',0,NULL,242,'pending',0,NULL,'',0,1.79624471848730254e+09,1.79624471848730254e+09,NULL,NULL);
INSERT INTO "delivery" VALUES(2,'1000000000001','Sign Up','old-2','signup','old-2','web',NULL,1796244716,'[]',NULL,'default','Signed Up',NULL,NULL,NULL,'[]',1,'',NULL,'                                1b5fc85e55755f9e0',0,NULL,176,'pending',0,NULL,'',0,1.79624471848730254e+09,1.79624471848730254e+09,NULL,NULL);
CREATE TABLE delivery_owner (
  id INTEGER PRIMARY KEY,
  message_id TEXT NOT NULL,
  user TEXT,                             -- beginnings of keys, 16 digits each
  anonymous TEXT,
  contacts TEXT,                         -- of digests of e-mail addresses and phone numbers, one behind the other
  is_proven INTEGER NOT NULL CHECK (is_proven IN (0, 1)),
  at REAL NOT NULL
) STRICT;
CREATE TABLE dropped_event (
  id INTEGER PRIMARY KEY,
  message_id TEXT NOT NULL,
  ad_account_id TEXT,                    -- NULL, and so the preset, where the event reached none
  preset TEXT,
  exit TEXT NOT NULL,
  reason TEXT NOT NULL,
  warnings TEXT NOT NULL,                -- a JSON array of texts
  event_name TEXT,
  order_id TEXT,
  amount TEXT,
  currency TEXT,
  source TEXT NOT NULL,
  name TEXT NOT NULL,                    -- of the event, as received
  is_proven INTEGER NOT NULL,            -- its author is known by a secret
  was_enqueued INTEGER NOT NULL DEFAULT 0,-- it was a delivery, which waited and is not sent
  at REAL NOT NULL,
  shelf INTEGER GENERATED ALWAYS AS (id >> 13) VIRTUAL
) STRICT;
INSERT INTO "dropped_event" VALUES(1,'old-3','1000000000001','Page Visit','invalid','user_data needs at least one of em (email), hashed_maids, or client_ip_address together with client_user_agent','[]',NULL,NULL,NULL,NULL,'default','page',1,0,1.79624471848730254e+09);
CREATE TABLE id_filter (
  bucket INTEGER NOT NULL CHECK (bucket BETWEEN 0 AND 511),
  id_range INTEGER NOT NULL,                 -- of a delivery: its id >> 15
  fingerprints BLOB NOT NULL,            -- of 3 bytes each
  latest_at REAL,                        -- in bucket 0 only: when the latest delivery of the range was received
  PRIMARY KEY (bucket, id_range)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE memory_hour (
  key TEXT NOT NULL,
  hour INTEGER NOT NULL,                 -- since 1970
  people INTEGER NOT NULL,
  suppressions INTEGER NOT NULL,
  PRIMARY KEY (key, hour)
) STRICT, WITHOUT ROWID;
CREATE TABLE memory_size (
  kind TEXT PRIMARY KEY,
  count INTEGER NOT NULL CHECK (count >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO "memory_size" VALUES('consent turn',0);
INSERT INTO "memory_size" VALUES('person',0);
INSERT INTO "memory_size" VALUES('public suppression',0);
INSERT INTO "memory_size" VALUES('suppression',0);
CREATE TABLE name_count (
  name TEXT NOT NULL,                    -- as received
  source TEXT NOT NULL,
  day INTEGER NOT NULL,                  -- counted from 1970 (UTC)
  state TEXT NOT NULL,                   -- waiting, delivered, dead, dismissed
  count INTEGER NOT NULL,
  PRIMARY KEY (name, source, day, state)
) STRICT, WITHOUT ROWID;
INSERT INTO "name_count" VALUES('Order Completed','default',20789,'waiting',1);
INSERT INTO "name_count" VALUES('Signed Up','default',20789,'waiting',1);
CREATE TABLE payload (
  delivery_id INTEGER PRIMARY KEY REFERENCES delivery (id) ON DELETE CASCADE,
  version INTEGER NOT NULL CHECK (version > 0),
  body BLOB NOT NULL,
  erase_at REAL                          -- NULL while its delivery may still be sent
) STRICT;
INSERT INTO "payload" VALUES(1,1,X'7B226576656E745F6E616D65223A22636865636B6F7574222C22616374696F6E5F736F75726365223A22776562222C226576656E745F74696D65223A313739363234343731362C226576656E745F6964223A226F6C642D31222C22757365725F64617461223A7B22656D223A5B2262356663383565353537353566396530643033306131306162343432396236623239343438353566396130643630303737666538333262656362633431643732225D7D2C22637573746F6D5F64617461223A7B226F726465725F6964223A22534F2D31222C2276616C7565223A223230222C2263757272656E6379223A22555344227D7D',NULL);
INSERT INTO "payload" VALUES(2,1,X'7B226576656E745F6E616D65223A227369676E7570222C22616374696F6E5F736F75726365223A22776562222C226576656E745F74696D65223A313739363234343731362C226576656E745F6964223A226F6C642D32222C22757365725F64617461223A7B22656D223A5B2262356663383565353537353566396530643033306131306162343432396236623239343438353566396130643630303737666538333262656362633431643732225D7D7D',NULL);
CREATE TABLE person (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,                     -- a key with the number of another's is not remembered
  linked_to TEXT,                        -- the key of a user
  linked_id INTEGER,                     -- and its number
  linked_at REAL,
  seen_at REAL NOT NULL,
  stale_at REAL,                         -- when the first part of `record` is too old; NULL where nothing is left
  revision INTEGER NOT NULL CHECK (revision > 0),
  record TEXT NOT NULL,                  -- JSON
  -- What of it a proven event said: 2 the link, 1 something else, 0 nothing. What is public gives way first.
  trust INTEGER NOT NULL AS (
    CASE WHEN record ->> '$.link.is_proven' THEN 2 ELSE instr(record, '"is_proven":true') > 0 END
  ) STORED
) STRICT;
CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), count INTEGER NOT NULL) STRICT;
INSERT INTO "probe" VALUES(1,0);
CREATE TABLE quarantined (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL,
  ends_at REAL NOT NULL,
  source TEXT NOT NULL,
  is_proven INTEGER NOT NULL CHECK (is_proven IN (0, 1)),  -- whether its author was known by a secret
  name TEXT NOT NULL,
  exit TEXT NOT NULL,
  reason TEXT NOT NULL,
  message_id TEXT NOT NULL,
  keys TEXT NOT NULL,                    -- a JSON array: the HMACs of its ids
  sealed TEXT NOT NULL                   -- encrypted; the key is not here
) STRICT;
CREATE TABLE revenue (
  day INTEGER NOT NULL,                  -- counted from 1970 (UTC)
  ad_account_id TEXT NOT NULL,           -- '', as the preset, of what reached none
  preset TEXT NOT NULL,
  source TEXT NOT NULL,
  currency TEXT NOT NULL,                -- '' where none was named
  became TEXT NOT NULL,                  -- waiting, delivered, dead, dismissed, or the exit of a dropped event;
                                         -- public, unconfirmed: of those that are delivered
  orders INTEGER NOT NULL,
  without_amount INTEGER NOT NULL,       -- of these, those that name no amount
  millionths INTEGER NOT NULL,           -- of the currency
  largest INTEGER,                       -- the largest amount of a delivery that was ever counted here, and the delivery
  largest_id INTEGER,
  PRIMARY KEY (day, ad_account_id, preset, source, currency, became)
) STRICT, WITHOUT ROWID;
INSERT INTO "revenue" VALUES(20789,'1000000000001','Order Completed','default','USD','waiting',1,0,20000000,20000000,1);
CREATE TABLE session (
  digest TEXT PRIMARY KEY,               -- of the cookie
  who TEXT NOT NULL,
  seal TEXT NOT NULL,
  ends_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE shared (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL,                   -- JSON
  revision INTEGER NOT NULL CHECK (revision > 0)
) STRICT, WITHOUT ROWID;
INSERT INTO "shared" VALUES('import/1915993b581ae62984c6f3b0','{"done":3,"at":1796244718.5764441}',1);
INSERT INTO "shared" VALUES('secret','"1866ed58ea98ad0a61474688d4b4e5a356b46da7d04f4bc1638474ff44a03546"',1);
CREATE TABLE suppression (
  key TEXT PRIMARY KEY,
  record TEXT NOT NULL,                  -- JSON
  ends_at REAL AS (record ->> '$.ends_at') VIRTUAL,
  is_public INTEGER NOT NULL AS (instr(record, '"is_proven":true') = 0) VIRTUAL
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery (ad_account_id, retried, due_at)
  WHERE due_at IS NOT NULL AND held = 0 AND hold_until IS NULL;
CREATE INDEX delivery_on_hold ON delivery (ad_account_id, hold_until) WHERE hold_until IS NOT NULL;
CREATE INDEX delivery_follows ON delivery (ad_account_id, hold_until) WHERE follows <> 0 AND hold_until IS NOT NULL;
CREATE INDEX delivery_held ON delivery (ad_account_id, preset, due_at) WHERE held = 1;
CREATE INDEX delivery_unsettled ON delivery (ad_account_id, enqueued_at) WHERE settled_at IS NULL;
CREATE INDEX delivery_delivered ON delivery (settled_at) WHERE state = 'delivered';
CREATE INDEX delivery_died ON delivery (settled_at) WHERE state IN ('dead', 'dismissed');
CREATE INDEX delivery_dead ON delivery (id) WHERE state = 'dead';
CREATE INDEX delivery_dead_event ON delivery (event_id) WHERE state = 'dead';
CREATE INDEX delivery_dead_order ON delivery (order_id) WHERE state = 'dead' AND order_id IS NOT NULL;
CREATE INDEX delivery_message ON delivery (shelf, message_id);
CREATE INDEX delivery_event ON delivery (shelf, event_id) WHERE event_id <> message_id;
CREATE INDEX delivery_order ON delivery (shelf, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX payload_erase ON payload (erase_at) WHERE erase_at IS NOT NULL;
CREATE INDEX dropped_event_message ON dropped_event (shelf, message_id);
CREATE INDEX dropped_event_order ON dropped_event (shelf, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX dropped_event_at ON dropped_event (at);
CREATE INDEX dedup_key_expires ON dedup_key (expires_at);
CREATE INDEX dedup_key_places ON dedup_key (digest) WHERE place > 0;
CREATE INDEX dedup_key_learned ON dedup_key (delivery_id) WHERE learned = 1;
CREATE VIEW move AS
SELECT NULL AS ad_account_id, NULL AS was, NULL AS becomes, NULL AS count, NULL AS bytes;
CREATE TRIGGER count_moves INSTEAD OF INSERT ON move BEGIN
  UPDATE backlog SET count = count - new.count, bytes = bytes - new.bytes
  WHERE ad_account_id = new.ad_account_id AND state = new.was;
  INSERT INTO backlog VALUES (new.ad_account_id, new.becomes, new.count, new.bytes)
  ON CONFLICT DO UPDATE SET count = count + excluded.count, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER delivery_moves AFTER UPDATE OF state ON delivery
WHEN old.state <> new.state
     AND NOT (old.state = 'pending' AND new.state = 'claimed') AND NOT (old.state = 'claimed' AND new.state = 'delivered') BEGIN
  INSERT INTO move VALUES (new.ad_account_id, old.state, new.state, 1, new.payload_bytes);
END;
CREATE TRIGGER delivery_grows AFTER UPDATE OF payload_bytes ON delivery WHEN old.payload_bytes <> new.payload_bytes BEGIN
  UPDATE backlog SET bytes = bytes + new.payload_bytes - old.payload_bytes
  WHERE ad_account_id = old.ad_account_id AND state = old.state;
END;
CREATE TRIGGER delivery_leaves AFTER DELETE ON delivery BEGIN
  UPDATE backlog SET count = count - 1, bytes = bytes - old.payload_bytes
  WHERE ad_account_id = old.ad_account_id AND state = old.state;
END;
CREATE INDEX name_count_none ON name_count (day) WHERE count = 0;
CREATE TRIGGER name_revived AFTER UPDATE OF state ON delivery WHEN old.state = 'dead' AND new.state <> 'dead' BEGIN
  UPDATE name_count SET count = count - 1
  WHERE name = old.name AND source = old.source AND day = CAST(old.enqueued_at / 86400 AS INTEGER) AND state = 'dead';
  INSERT INTO name_count VALUES (new.name, new.source, CAST(new.enqueued_at / 86400 AS INTEGER),
                                 CASE new.state WHEN 'pending' THEN 'waiting' ELSE new.state END, 1)
  ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER name_leaves AFTER DELETE ON delivery BEGIN
  UPDATE name_count SET count = count - 1
  WHERE name = old.name AND source = old.source AND day = CAST(old.enqueued_at / 86400 AS INTEGER)
    AND state = CASE WHEN old.state IN ('pending', 'claimed') THEN 'waiting' ELSE old.state END;
END;
CREATE VIEW earned AS
SELECT NULL AS at, NULL AS ad_account_id, NULL AS preset, NULL AS source, NULL AS currency, NULL AS became, NULL AS sign,
       NULL AS amount, NULL AS id;
CREATE TRIGGER count_order INSTEAD OF INSERT ON earned BEGIN
  INSERT INTO revenue
  SELECT CAST(new.at / 86400 AS INTEGER), coalesce(new.ad_account_id, ''), coalesce(new.preset, ''), new.source,
         coalesce(new.currency, ''), new.became, new.sign, new.sign * (worth IS NULL), new.sign * coalesce(worth, 0),
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
    old.enqueued_at, old.ad_account_id, old.preset, old.source, old.currency,
    CASE WHEN old.state IN ('pending', 'claimed') THEN 'waiting' ELSE old.state END, -1, old.amount, old.id);
  INSERT INTO earned VALUES (
    new.enqueued_at, new.ad_account_id, new.preset, new.source, new.currency,
    CASE WHEN new.state IN ('pending', 'claimed') THEN 'waiting' ELSE new.state END, 1, new.amount, new.id);
END;
CREATE TRIGGER public_order_moves AFTER UPDATE OF state ON delivery
WHEN new.event_name = 'checkout' AND new.state = 'delivered' AND old.state <> 'delivered' AND NOT new.is_proven BEGIN
  INSERT INTO earned VALUES (
    new.enqueued_at, new.ad_account_id, new.preset, new.source, new.currency, 'public', 1, new.amount, NULL);
  INSERT INTO earned SELECT
    new.enqueued_at, new.ad_account_id, new.preset, new.source, new.currency, 'unconfirmed', 1, new.amount, NULL
  WHERE instr(new.warnings, '"not confirmed by the shop"');
END;
CREATE TRIGGER order_changes AFTER UPDATE OF amount, currency ON delivery
WHEN new.event_name = 'checkout' AND (old.amount IS NOT new.amount OR old.currency IS NOT new.currency) BEGIN
  INSERT INTO earned VALUES (
    old.enqueued_at, old.ad_account_id, old.preset, old.source, old.currency, 'waiting', -1, old.amount, old.id);
  INSERT INTO earned VALUES (
    new.enqueued_at, new.ad_account_id, new.preset, new.source, new.currency, 'waiting', 1, new.amount, new.id);
END;
CREATE TRIGGER order_dropped AFTER INSERT ON dropped_event WHEN coalesce(new.event_name = 'checkout', new.order_id IS NOT NULL) BEGIN
  INSERT INTO earned VALUES (
    new.at, new.ad_account_id, new.preset, new.source, new.currency,
    iif(new.was_enqueued, 'withdrawn', new.exit), 1, new.amount, NULL);
END;
CREATE TRIGGER part_is_filled AFTER INSERT ON id_filter WHEN new.bucket = 0 BEGIN
  UPDATE id_filter SET latest_at = (
    SELECT max(enqueued_at) FROM delivery WHERE id >= new.id_range << 15 AND id < new.id_range + 1 << 15
  ) WHERE bucket = 0 AND id_range = new.id_range;
END;
CREATE TRIGGER delivery_begins_again AFTER UPDATE OF enqueued_at ON delivery BEGIN
  UPDATE id_filter SET latest_at = max(latest_at, new.enqueued_at) WHERE bucket = 0 AND id_range = new.id >> 15;
END;
CREATE INDEX inventory_name ON inventory (name, type, source);
CREATE INDEX person_linked ON person (linked_id, linked_at) WHERE linked_id IS NOT NULL;
CREATE INDEX person_seen ON person (trust > 0, seen_at);
CREATE INDEX person_stale ON person (stale_at);
CREATE INDEX suppression_ends ON suppression (ends_at) WHERE ends_at IS NOT NULL;
CREATE TRIGGER person_enters AFTER INSERT ON person BEGIN
  UPDATE memory_size SET count = count + 1 WHERE kind = 'person';
END;
CREATE TRIGGER person_leaves AFTER DELETE ON person BEGIN
  UPDATE memory_size SET count = count - 1 WHERE kind = 'person';
END;
CREATE TRIGGER suppression_enters AFTER INSERT ON suppression BEGIN
  UPDATE memory_size SET count = count + 1 WHERE kind IN ('suppression', iif(NEW.is_public, 'public suppression', 'suppression'));
END;
CREATE TRIGGER suppression_changes AFTER UPDATE ON suppression WHEN OLD.is_public <> NEW.is_public BEGIN
  UPDATE memory_size SET count = count + NEW.is_public - OLD.is_public WHERE kind = 'public suppression';
END;
CREATE TRIGGER suppression_leaves AFTER DELETE ON suppression BEGIN
  UPDATE memory_size SET count = count - 1 WHERE kind IN ('suppression', iif(OLD.is_public, 'public suppression', 'suppression'));
END;
CREATE INDEX delivery_owner_message ON delivery_owner (message_id);
CREATE VIEW message_owner AS
SELECT id, NULL AS delivery_id, message_id, user, anonymous, contacts, is_proven, at FROM delivery_owner
UNION ALL
SELECT id, id, message_id, nullif(trim(substr(owner, 1, 16)), ''), nullif(trim(substr(owner, 17, 16)), ''),
       nullif(substr(owner, 34), ''), CAST(substr(owner, 33, 1) AS INTEGER), enqueued_at
FROM delivery WHERE owner IS NOT NULL;
CREATE INDEX consent_said_by ON consent (said_by);
CREATE INDEX consent_user ON consent (user) WHERE user <> '';
CREATE INDEX consent_turn ON consent (turn);
CREATE INDEX consent_ends ON consent (at) WHERE user = '';
CREATE TRIGGER consent_changes AFTER UPDATE OF is_no, kind ON consent WHEN OLD.is_no <> NEW.is_no OR OLD.kind <> NEW.kind BEGIN
  UPDATE consent SET turn = (SELECT max(coalesce(max(turn), 0), (SELECT count FROM memory_size WHERE kind = 'consent turn')) + 1 FROM consent)
  WHERE key = NEW.key AND said_by = NEW.said_by AND is_proven = NEW.is_proven;
END;
CREATE TRIGGER consent_leaves AFTER DELETE ON consent BEGIN
  UPDATE memory_size SET count = max(count, OLD.turn) WHERE kind = 'consent turn';
END;
CREATE UNIQUE INDEX quarantined_message ON quarantined (source, message_id, (exit = 'accepted'), is_proven);
CREATE INDEX quarantined_ends ON quarantined (ends_at);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX session_ends ON session (ends_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('delivery',2);
INSERT INTO "sqlite_sequence" VALUES('audit',1);
COMMIT;
