PRAGMA user_version=11;
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
CREATE TABLE backlog (
  ad_account_id TEXT NOT NULL,
  state TEXT NOT NULL,
  count INTEGER NOT NULL CHECK (count >= 0), bytes INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
  PRIMARY KEY (ad_account_id, state)
) STRICT, WITHOUT ROWID;
INSERT INTO "backlog" VALUES('1000000000001','pending',2,584);
CREATE TABLE "dedup_key" (
  digest TEXT NOT NULL,
  place INTEGER NOT NULL CHECK (place >= 0),  -- among the orders of one id; 0 at the key of an event
  delivery_id INTEGER NOT NULL,
  expires_at REAL NOT NULL,
  known TEXT,                                 -- of an order, as JSON: its id, its buyer, its total; NULL at an event
  learned INTEGER NOT NULL DEFAULT 0 CHECK (learned IN (0, 1)),  -- 1: a repetition told it of the delivery
  PRIMARY KEY (digest, place)
) STRICT, WITHOUT ROWID;
INSERT INTO "dedup_key" VALUES('81d9nGaPYiD10mGRkeAu',0,2,1.79631033552579641e+09,NULL,0);
INSERT INTO "dedup_key" VALUES('82odQYXGUrYxnLbH2Q39',0,1,1.79631033552579641e+09,NULL,0);
INSERT INTO "dedup_key" VALUES('dg4hlr5hd2IFJlIJP/LR',0,1,1.79829753552579641e+09,'["SO-1",["b5fc85e55755f9e0d030a10ab4429b6b"],"20","USD"]',0);
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
  traceparent TEXT, held INTEGER NOT NULL DEFAULT 0 CHECK (held = 0 OR (held = 1 AND state = 'pending')), shelf INTEGER GENERATED ALWAYS AS (id >> 11) VIRTUAL, source TEXT NOT NULL DEFAULT 'default', amount TEXT, currency TEXT, checkout_id TEXT, buyer TEXT NOT NULL DEFAULT '[]',
  CHECK ((state IN ('delivered', 'dead', 'dismissed')) = (settled_at IS NOT NULL)),
  CHECK ((settled_at IS NULL) = (due_at IS NOT NULL)),
  CHECK ((state = 'claimed') = (claim IS NOT NULL)),
  CHECK (state <> 'claimed' OR attempts > 0)
) STRICT;
INSERT INTO "delivery" VALUES(1,'1000000000001','Order Completed','old-1','checkout','old-1','web','SO-1',1795683600,'["event_time: 6.1 hours old, Pinterest reports what comes after 1 hour as offline"]',325,'pending','',0,1.79570553552579641e+09,1.79570553552579641e+09,NULL,NULL,NULL,0,'default','20','USD',NULL,'["b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72"]');
INSERT INTO "delivery" VALUES(2,'1000000000001','Sign Up','old-2','signup','old-2','web',NULL,1795683600,'["event_time: 6.1 hours old, Pinterest reports what comes after 1 hour as offline"]',259,'pending','',0,1.79570553552579641e+09,1.79570553552579641e+09,NULL,NULL,NULL,0,'default',NULL,NULL,NULL,'[]');
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
CREATE TABLE mark (
  key TEXT PRIMARY KEY,
  at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE memory_size (
  kind TEXT PRIMARY KEY,
  count INTEGER NOT NULL CHECK (count >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO "memory_size" VALUES('mark',0);
INSERT INTO "memory_size" VALUES('person',0);
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
, event_name TEXT, order_id TEXT, amount TEXT, currency TEXT, source TEXT NOT NULL DEFAULT 'default') STRICT;
INSERT INTO "note" VALUES(1,'old-3','1000000000001','Page Visit','invalid','user_data needs at least one of em (email), hashed_maids, or client_ip_address together with client_user_agent','[]',1.79570553552579641e+09,NULL,NULL,NULL,NULL,'default');
CREATE TABLE payload (
  delivery_id INTEGER PRIMARY KEY REFERENCES delivery (id) ON DELETE CASCADE,
  version INTEGER NOT NULL CHECK (version > 0),
  body BLOB NOT NULL,
  erase_at REAL                          -- NULL while its delivery may still be sent
) STRICT;
INSERT INTO "payload" VALUES(1,1,X'7B226576656E745F6E616D65223A22636865636B6F7574222C22616374696F6E5F736F75726365223A22776562222C226576656E745F74696D65223A313739353638333630302C226576656E745F6964223A226F6C642D31222C22757365725F64617461223A7B22656D223A5B2262356663383565353537353566396530643033306131306162343432396236623239343438353566396130643630303737666538333262656362633431643732225D2C2265787465726E616C5F6964223A5B2261323461376635356632373864643439666231663939633535303738303063623139386135626665313066653231323663643062323536373231353262306461225D7D2C22637573746F6D5F64617461223A7B226F726465725F6964223A22534F2D31222C2276616C7565223A223230222C2263757272656E6379223A22555344227D7D',NULL);
INSERT INTO "payload" VALUES(2,1,X'7B226576656E745F6E616D65223A227369676E7570222C22616374696F6E5F736F75726365223A22776562222C226576656E745F74696D65223A313739353638333630302C226576656E745F6964223A226F6C642D32222C22757365725F64617461223A7B22656D223A5B2263666333613734316364323430666337386632333665646666306437663566393833313962663939323232396463313931393833336662646232653863633535225D2C2265787465726E616C5F6964223A5B2231666532363936636261616631336435646364346434363666636664333333313262633238656233626431616331666465353665366133333834373462386166225D7D7D',NULL);
CREATE TABLE "person" (
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
CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), count INTEGER NOT NULL) STRICT;
INSERT INTO "probe" VALUES(1,0);
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
CREATE TABLE session (
  digest TEXT PRIMARY KEY,  -- of the cookie
  who TEXT NOT NULL,
  seal TEXT NOT NULL,
  ends_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE shared (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL,                   -- JSON
  revision INTEGER NOT NULL CHECK (revision > 0)
) STRICT, WITHOUT ROWID;
INSERT INTO "shared" VALUES('import/af9a3c4ccac1efbaccae76bd','3',1);
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
INSERT INTO "tally" VALUES(60,1795705500,'accepted','','','','default',3);
INSERT INTO "tally" VALUES(60,1795705500,'enqueued','Order Completed','','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'enqueued','Sign Up','','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'invalid','Page Visit','user_data needs at least one of em (email), hashed_maids, or client_ip_address together with client_user_agent','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'matched','Order Completed','','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'matched','Page Visit','','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'matched','Sign Up','','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'quality','Order Completed','advertiser_external_id','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'quality','Order Completed','external_event_id','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'quality','Order Completed','hashed_email','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'quality','Order Completed','order_id','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'quality','Order Completed','order_value','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'quality','Sign Up','advertiser_external_id','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'quality','Sign Up','external_event_id','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'quality','Sign Up','hashed_email','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'warning','Order Completed','event_time','1000000000001','default',1);
INSERT INTO "tally" VALUES(60,1795705500,'warning','Sign Up','event_time','1000000000001','default',1);
CREATE TABLE whose (
  id INTEGER PRIMARY KEY,
  message_id TEXT NOT NULL,
  user TEXT,                 -- keys
  anonymous TEXT,
  at REAL NOT NULL
) STRICT;
CREATE INDEX delivery_claim ON delivery (claim) WHERE claim IS NOT NULL;
CREATE INDEX delivery_unsettled ON delivery (ad_account_id, enqueued_at) WHERE settled_at IS NULL;
CREATE INDEX delivery_dead ON delivery (id) WHERE state = 'dead';
CREATE INDEX payload_erase ON payload (erase_at) WHERE erase_at IS NOT NULL;
CREATE INDEX note_message ON note (shelf, message_id);
CREATE INDEX note_at ON note (at);
CREATE INDEX delivery_due ON delivery (ad_account_id, retried, due_at) WHERE due_at IS NOT NULL AND held = 0;
CREATE INDEX delivery_held ON delivery (ad_account_id, preset, due_at) WHERE held = 1;
CREATE INDEX delivery_message ON delivery (shelf, message_id);
CREATE INDEX delivery_event ON delivery (shelf, event_id) WHERE event_id <> message_id;
CREATE INDEX delivery_delivered ON delivery (settled_at) WHERE state = 'delivered';
CREATE INDEX delivery_died ON delivery (settled_at) WHERE state IN ('dead', 'dismissed');
CREATE INDEX delivery_dead_event ON delivery (event_id) WHERE state = 'dead';
CREATE INDEX delivery_dead_order ON delivery (order_id) WHERE state = 'dead' AND order_id IS NOT NULL;
CREATE INDEX delivery_order ON delivery (shelf, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX note_order ON note (shelf, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX dedup_key_expires ON dedup_key (expires_at);
CREATE INDEX dedup_key_learned ON dedup_key (delivery_id) WHERE learned = 1;
CREATE TRIGGER delivery_enters AFTER INSERT ON delivery BEGIN
  INSERT INTO backlog VALUES (new.ad_account_id, new.state, 1, new.payload_bytes)
  ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER delivery_moves AFTER UPDATE OF state ON delivery WHEN old.state <> new.state BEGIN
  UPDATE backlog SET count = count - 1, bytes = bytes - old.payload_bytes
  WHERE ad_account_id = old.ad_account_id AND state = old.state;
  INSERT INTO backlog VALUES (new.ad_account_id, new.state, 1, new.payload_bytes)
  ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER delivery_leaves AFTER DELETE ON delivery BEGIN
  UPDATE backlog SET count = count - 1, bytes = bytes - old.payload_bytes
  WHERE ad_account_id = old.ad_account_id AND state = old.state;
END;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX session_ends ON session (ends_at);
CREATE TRIGGER mark_enters AFTER INSERT ON mark BEGIN
  UPDATE memory_size SET count = count + 1 WHERE kind = 'mark';
END;
CREATE TRIGGER mark_leaves AFTER DELETE ON mark BEGIN
  UPDATE memory_size SET count = count - 1 WHERE kind = 'mark';
END;
CREATE INDEX inventory_name ON inventory (name, type, source);
CREATE UNIQUE INDEX quarantined_message ON quarantined (source, message_id);
CREATE INDEX quarantined_ends ON quarantined (ends_at);
CREATE INDEX person_linked ON person (linked_id, linked_at) WHERE linked_id IS NOT NULL;
CREATE INDEX person_seen ON person (seen_at);
CREATE INDEX person_stale ON person (stale_at);
CREATE TRIGGER person_enters AFTER INSERT ON person BEGIN
  UPDATE memory_size SET count = count + 1 WHERE kind = 'person';
END;
CREATE TRIGGER person_leaves AFTER DELETE ON person BEGIN
  UPDATE memory_size SET count = count - 1 WHERE kind = 'person';
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('delivery',2);
COMMIT;
