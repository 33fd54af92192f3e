-- Version 1. Times are Unix seconds. The CHECKs forbid every state that docs/outbox.md does not draw.
--
-- What waits and what is dead lies in tables of its own, which stay small. What is settled, noted or counted lies in
-- tables of one day (UTC) each, which are dropped whole (retention.py): `delivered_20270115` and so on.
-- Texts that are only compared for being equal have the collation "C", which is the fastest.

-- Marks the tables as those of Pinrelay. One row: the identity of the schema (app/outbox/refusals.py), and its version.
CREATE TABLE store_version (
  identity integer NOT NULL,
  version integer NOT NULL CHECK (version > 0)
);

-- One event for one preset, and its finished event: written once, and read when it is claimed.
CREATE SEQUENCE delivery_id;  -- grows with time and gives no id twice: keys outlive their delivery
CREATE TABLE delivery (
  id bigint PRIMARY KEY,
  ad_account_id text NOT NULL,
  preset text NOT NULL,
  message_id text COLLATE "C" NOT NULL,
  event_name text NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  action_source text NOT NULL,
  order_id text,
  event_time bigint NOT NULL,
  warnings text NOT NULL,                -- a JSON array of texts, and last what came from memory
  traceparent text,                      -- as W3C writes it; NULL where it is not traced
  source text NOT NULL,
  name text NOT NULL,                    -- of the event, as received
  amount text,                           -- value and currency as sent
  currency text,
  checkout_id text,
  buyer text NOT NULL,                   -- a JSON array of digests of e-mail addresses
  is_proven boolean NOT NULL,            -- whether its author was known by a secret
  shop text NOT NULL,                    -- to which its source belongs; '' where it names none
  side text,                             -- of a checkout, as JSON: what binds it to the same order from the other side
  owner text COLLATE "C",                -- whose it is, as in `delivery_owner`; NULL: that tells it
  merged integer NOT NULL DEFAULT 0,     -- how many other messages are in it
  payload_version smallint NOT NULL CHECK (payload_version > 0),
  payload bytea NOT NULL
) WITH (toast_tuple_target = 8160);      -- an event of a few kilobytes stays in its row, as it is
ALTER TABLE delivery ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE INDEX delivery_message ON delivery (message_id);
-- Most events are sent under the id of their message.
CREATE INDEX delivery_event ON delivery (event_id) WHERE event_id <> message_id;
CREATE INDEX delivery_order ON delivery (order_id) WHERE order_id IS NOT NULL;

-- The state of a delivery that is not settled. Narrow, since each change of state writes its row anew.
CREATE TABLE queue (
  id bigint PRIMARY KEY,                 -- of its delivery
  ad_account_id text NOT NULL,
  preset text NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'claimed')),
  held boolean NOT NULL DEFAULT false CHECK (NOT held OR state = 'pending'),  -- its preset is switched off
  hold_until float8 CHECK (hold_until IS NULL OR state = 'pending'),  -- held by its preset, until hold_clock.py shows this
  -- What it waits for: 0 its other side, -1 the same, without which it is not sent, else what becomes of that delivery.
  follows bigint CHECK (follows IS NULL OR state = 'pending'),
  merged integer NOT NULL DEFAULT 0,     -- as in its delivery: whoever waited for this row sees it here first
  attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  retried boolean GENERATED ALWAYS AS (attempts > 0) STORED,
  payload_bytes integer NOT NULL,
  enqueued_at float8 NOT NULL,
  due_at float8 NOT NULL,                -- pending: when it may be claimed, held: about when; claimed: when its lease ends
  claim text,                            -- the token of the claim that holds it
  reason text NOT NULL DEFAULT '',
  history jsonb,                         -- tries at sending: [[number, at, exit, status, message], ...]; NULL: none yet
  CHECK ((state = 'claimed') = (claim IS NOT NULL)),
  CHECK (state <> 'claimed' OR attempts > 0)
);
-- What may be claimed next: fresh deliveries and retries apart, expired leases among them.
CREATE INDEX queue_due ON queue (ad_account_id, retried, due_at, id) WHERE NOT held AND hold_until IS NULL;
CREATE INDEX queue_on_hold ON queue (ad_account_id, hold_until) WHERE hold_until IS NOT NULL;
CREATE INDEX queue_follows ON queue (ad_account_id, hold_until) WHERE follows <> 0 AND hold_until IS NOT NULL;
CREATE INDEX queue_held ON queue (ad_account_id, preset, due_at) WHERE held;
CREATE INDEX queue_enqueued ON queue (ad_account_id, enqueued_at);

-- The state of a delivery that is dead or dismissed; it keeps its row in `delivery`, with an empty payload if dismissed.
CREATE TABLE dead (
  id bigint PRIMARY KEY,
  state text NOT NULL DEFAULT 'dead' CHECK (state IN ('dead', 'dismissed')),
  attempts integer NOT NULL CHECK (attempts >= 0),
  enqueued_at float8 NOT NULL,
  settled_at float8 NOT NULL,
  reason text NOT NULL,
  history jsonb
);
CREATE INDEX dead_settled ON dead (settled_at);
CREATE INDEX dead_still ON dead (id) WHERE state = 'dead';

-- When the latest delivery of each 4,096 ids was received: a search since a moment begins at the first range of ids that may hold
-- it. Ids do not grow with these times: a delivery may be held or begin again, a clock step back. A range may tell of
-- deliveries that are gone.
CREATE TABLE id_range (
  id_range bigint NOT NULL,                  -- of a delivery: its id >> 12
  slot smallint NOT NULL,                -- of the connection: commits do not wait for each other
  latest_at float8 NOT NULL,
  PRIMARY KEY (id_range, slot)
) WITH (fillfactor = 50);
-- It knows the connection by its process.
CREATE FUNCTION time_id_ranges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO id_range (id_range, slot, latest_at)
  SELECT id >> 12, pg_backend_pid() & 32767, max(enqueued_at) FROM entering GROUP BY 1 ORDER BY 1
  ON CONFLICT (id_range, slot) DO UPDATE SET latest_at = greatest(id_range.latest_at, excluded.latest_at);
  RETURN NULL;
END
$$;
CREATE TRIGGER queue_enters AFTER INSERT ON queue REFERENCING NEW TABLE AS entering
FOR EACH STATEMENT EXECUTE FUNCTION time_id_ranges();

-- What Pinterest has taken.
CREATE TABLE delivered (
  id bigint NOT NULL,
  ad_account_id text NOT NULL,
  preset text NOT NULL,
  message_id text COLLATE "C" NOT NULL,
  event_name text NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  action_source text NOT NULL,
  order_id text,
  event_time bigint NOT NULL,
  warnings text NOT NULL,
  source text NOT NULL,
  name text NOT NULL,
  amount text,
  currency text,
  checkout_id text,
  is_proven boolean NOT NULL,
  owner text COLLATE "C",
  attempts integer NOT NULL CHECK (attempts >= 0),
  enqueued_at float8 NOT NULL,
  settled_at float8 NOT NULL,
  history jsonb
) PARTITION BY RANGE (settled_at);
CREATE INDEX delivered_id ON delivered (id);
CREATE INDEX delivered_message ON delivered (message_id);
CREATE INDEX delivered_event ON delivered (event_id) WHERE event_id <> message_id;
CREATE INDEX delivered_order ON delivered (order_id) WHERE order_id IS NOT NULL;

-- Payloads of delivered events that are kept for a while, without IP address and user agent.
CREATE TABLE kept_payload (
  id bigint PRIMARY KEY,
  body bytea NOT NULL,
  erase_at float8 NOT NULL
);
CREATE INDEX kept_payload_erase ON kept_payload (erase_at);

-- Events that made no delivery, and why.
CREATE SEQUENCE dropped_event_id;
CREATE TABLE dropped_event (
  id bigint NOT NULL DEFAULT nextval('dropped_event_id'),
  message_id text COLLATE "C" NOT NULL,
  ad_account_id text,                    -- NULL, and so the preset, where the event reached none
  preset text,
  exit text NOT NULL,
  reason text NOT NULL,
  warnings text NOT NULL,                -- a JSON array of texts
  event_name text,
  order_id text,
  amount text,
  currency text,
  source text NOT NULL,
  name text NOT NULL,                    -- of the event, as received
  is_proven boolean NOT NULL,            -- its author is known by a secret
  was_enqueued boolean NOT NULL DEFAULT false,-- it was a delivery, which waited and is not sent
  at float8 NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX dropped_event_id_order ON dropped_event (id);
CREATE INDEX dropped_event_message ON dropped_event (message_id);
CREATE INDEX dropped_event_order ON dropped_event (order_id) WHERE order_id IS NOT NULL;

-- The keys of what was enqueued within the window. Not tied to the ledger: a key ends with its window only.
CREATE TABLE dedup_key (
  digest text COLLATE "C" NOT NULL,
  place smallint NOT NULL DEFAULT 0 CHECK (place >= 0),  -- among the orders of one id; 0 at the key of an event
  delivery_id bigint NOT NULL,
  expires_at float8 NOT NULL,
  known text,                            -- JSON: of an order its id, buyer, total and side; of an id by number its source
  is_proven boolean NOT NULL DEFAULT false,  -- whether its author was known by a secret
  learned boolean NOT NULL DEFAULT false,  -- a repetition told it of the delivery
  PRIMARY KEY (digest, place)
);
-- A delivery that dies releases what was learned of it, too.
CREATE INDEX dedup_key_learned ON dedup_key (delivery_id) WHERE learned;
CREATE INDEX dedup_key_expires ON dedup_key (expires_at);

-- How many deliveries are in each state, so that a million rows are never counted. The sum of all slots counts: each
-- connection writes to a slot of its own, so that commits do not wait for each other.
CREATE TABLE backlog (
  ad_account_id text NOT NULL,
  state text NOT NULL CHECK (state IN ('pending', 'claimed', 'dead', 'dismissed')),
  slot smallint NOT NULL,
  count bigint NOT NULL,
  bytes bigint NOT NULL DEFAULT 0,       -- by which payloads that wait grew in number; a claim moves none of them
  PRIMARY KEY (ad_account_id, state, slot)
) WITH (fillfactor = 50);

-- How many deliveries of each name are in each state, by the day on which they came.
CREATE TABLE name_count (
  name text COLLATE "C" NOT NULL,        -- as received
  source text COLLATE "C" NOT NULL,
  day integer NOT NULL,                  -- counted from 1970 (UTC)
  state text COLLATE "C" NOT NULL,       -- waiting, delivered, dead, dismissed
  slot smallint NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (name, source, day, state, slot)
) WITH (fillfactor = 50);
CREATE INDEX name_count_day ON name_count (day);

-- What orders are worth, summed by the day on which they came, so that a million of them are never added up.
CREATE TABLE revenue (
  day integer NOT NULL,                  -- counted from 1970 (UTC)
  ad_account_id text NOT NULL,           -- '', as the preset, of what reached none
  preset text NOT NULL,
  source text NOT NULL,
  currency text NOT NULL,                -- '' where none was named
  became text NOT NULL,                  -- waiting, delivered, dead, dismissed, or the exit of a dropped event
  slot smallint NOT NULL,
  orders bigint NOT NULL,
  without_amount bigint NOT NULL,        -- of these, those that name no amount
  millionths numeric NOT NULL,           -- of the currency
  largest numeric,                       -- the largest amount of a delivery that was ever counted here, and the delivery
  largest_id bigint,
  PRIMARY KEY (day, ad_account_id, preset, source, currency, became, slot)
) WITH (fillfactor = 50);

-- Counts by minute, in slots likewise; those of a day are summed by hour when it is old.
CREATE TABLE counter_minute (
  start_at bigint NOT NULL,
  name text NOT NULL,
  preset text NOT NULL,
  label text NOT NULL,
  ad_account_id text NOT NULL,
  source text NOT NULL,
  slot smallint NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (start_at, name, preset, label, ad_account_id, source, slot)
) PARTITION BY RANGE (start_at);
CREATE TABLE counter_hour (LIKE counter_minute INCLUDING ALL) PARTITION BY RANGE (start_at);
-- The same, of steps that are over: in hours while their minutes are kept, in six hours, in days. There is no gap
-- between the first and the last step of a length.
CREATE TABLE counter_sum (
  span_s integer NOT NULL CHECK (span_s IN (3600, 21600, 86400)),
  start_at bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  preset text COLLATE "C" NOT NULL,
  label text COLLATE "C" NOT NULL,
  ad_account_id text COLLATE "C" NOT NULL,
  source text COLLATE "C" NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (span_s, start_at, name, preset, label, ad_account_id, source)
);

-- The inventory: what arrives, by the name that it arrives under. By hour (span_s 3600), forgotten after some days, and
-- by day (86400).
CREATE TABLE inventory (
  span_s integer NOT NULL CHECK (span_s IN (3600, 86400)),
  counted text COLLATE "C" NOT NULL,
  start_at bigint NOT NULL,
  source text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  label text COLLATE "C" NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (span_s, counted, start_at, source, type, name, label)
);
-- To forget a name.
CREATE INDEX inventory_name ON inventory (name, type, source);

-- What every process must know.
CREATE TABLE shared (
  key text COLLATE "C" PRIMARY KEY,
  value text NOT NULL,                   -- JSON
  revision bigint NOT NULL CHECK (revision > 0)
);

-- Who did what.
CREATE SEQUENCE audit_id;
CREATE TABLE audit (
  id bigint PRIMARY KEY DEFAULT nextval('audit_id'),
  at float8 NOT NULL,
  who text NOT NULL,
  place text NOT NULL,
  what text NOT NULL,
  target text NOT NULL,
  was text NOT NULL,
  became text NOT NULL
);
CREATE INDEX audit_at ON audit (at);

-- Who has logged in.
CREATE TABLE session (
  digest text COLLATE "C" PRIMARY KEY,   -- of the cookie
  who text NOT NULL,
  seal text NOT NULL,
  ends_at float8 NOT NULL
);
CREATE INDEX session_ends ON session (ends_at);

-- The memory: what is remembered of people, by the HMAC of an id.
CREATE TABLE person (
  key text COLLATE "C" PRIMARY KEY,
  linked_to text COLLATE "C",            -- the key of a user
  linked_at float8,
  seen_at float8 NOT NULL,
  stale_at float8,                       -- when the first part of `record` is too old; NULL where nothing is left
  revision bigint NOT NULL CHECK (revision > 0),
  record text NOT NULL,                  -- JSON
  -- What of it a proven event said: 2 the link, 1 something else, 0 nothing. What is public gives way first.
  trust smallint NOT NULL GENERATED ALWAYS AS (
    CASE WHEN record ~ '"link": *\{[^{}]*"is_proven": *true' THEN 2 WHEN record ~ '"is_proven": *true' THEN 1 ELSE 0 END
  ) STORED
);
CREATE INDEX person_linked ON person (linked_to, linked_at) WHERE linked_to IS NOT NULL;
CREATE INDEX person_seen ON person ((trust > 0), seen_at);
CREATE INDEX person_stale ON person (stale_at);

-- Who said no, and when. Nothing but a yes removes it, or its end where it has one.
CREATE TABLE suppression (
  key text COLLATE "C" PRIMARY KEY,
  record text NOT NULL,                  -- JSON
  ends_at float8 GENERATED ALWAYS AS ((record::json ->> 'ends_at')::float8) STORED,
  is_public boolean NOT NULL GENERATED ALWAYS AS (strpos(record, '"is_proven":true') = 0) STORED
);
CREATE INDEX suppression_ends ON suppression (ends_at) WHERE ends_at IS NOT NULL;

-- What is new of each public key, by hour, so that none fills the memory of all; in slots as the sizes below.
CREATE TABLE memory_hour (
  key text COLLATE "C" NOT NULL,
  hour bigint NOT NULL,                  -- since 1970
  slot smallint NOT NULL,
  people bigint NOT NULL,
  suppressions bigint NOT NULL,
  PRIMARY KEY (key, hour, slot)
);

-- Whose messages are kept of which a delivery does not tell it: they made none, came again, or are in another delivery.
CREATE TABLE delivery_owner (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_id text COLLATE "C" NOT NULL,
  owner text COLLATE "C" NOT NULL,       -- beginnings of two keys, 16 digits or blanks each, 1 where it is proven, and those
                                         -- of digests of e-mail addresses and phone numbers
  at float8 NOT NULL
);
CREATE INDEX delivery_owner_message ON delivery_owner (message_id);
-- All of them. It is searched as a whole, and rarely: to erase somebody, or to tell what is kept.
CREATE VIEW message_owner AS
  SELECT id, NULL::bigint AS delivery_id, message_id, owner, at FROM delivery_owner
  UNION ALL
  SELECT delivery.id, delivery.id, message_id, owner, coalesce(queue.enqueued_at, dead.enqueued_at)
  FROM delivery LEFT JOIN queue USING (id) LEFT JOIN dead USING (id) WHERE owner IS NOT NULL
  UNION ALL
  SELECT id, id, message_id, owner, enqueued_at FROM delivered WHERE owner IS NOT NULL;

-- What people answered to being tracked: the newest answer of a browser, or of whoever said it, about an id, a contact or
-- an order, by the beginnings of their digests.
CREATE TABLE consent (
  key text COLLATE "C" NOT NULL,
  said_by text COLLATE "C" NOT NULL,     -- the key of a browser, or of a user; '' where nobody is named
  is_proven boolean NOT NULL,
  user_key text COLLATE "C" NOT NULL,    -- of the user that was named beside it; '' where none was
  for_proven boolean NOT NULL,
  is_no boolean NOT NULL,
  kind text NOT NULL,
  at float8 NOT NULL,
  total text NOT NULL,                   -- of an order, such as 'USD 249.00'
  source text NOT NULL,
  turn xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- the transaction that wrote it first, or something else last
  PRIMARY KEY (key, said_by, is_proven)
);
CREATE INDEX consent_said_by ON consent (said_by);
CREATE INDEX consent_user ON consent (user_key) WHERE user_key <> '';
CREATE INDEX consent_turn ON consent (turn);
CREATE INDEX consent_ends ON consent (at) WHERE user_key = '';

-- Note what was answered, as `is_newer` and `after` of app/core/consent.py say: groups of rows of [key, said_by, is_proven,
-- user_key, for_proven, is_no, kind, at, total, source], of which each has nos, or the yes of one event. A yes lifts older nos
-- of the same browser or the same user, proven ones where it is proven; they are returned.
CREATE FUNCTION write_consents(groups json) RETURNS TABLE (key text, said_by text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  rows json;
  lifted json;
  yes_at float8;
  yes_by text;
  yes_user text;
  yes_proven boolean;
BEGIN
  FOR rows IN SELECT value FROM json_array_elements(groups) LOOP
    lifted := NULL;
    IF NOT (rows -> 0 ->> 5)::boolean THEN
      yes_by := rows -> 0 ->> 1;
      yes_proven := rows -> 0 ->> 2;
      yes_user := rows -> 0 ->> 3;
      yes_at := rows -> 0 ->> 7;
      SELECT json_agg(json_build_array(no.key, no.said_by, no.is_proven)) INTO lifted FROM (
        SELECT key, said_by, is_proven FROM consent
        WHERE is_no AND at < yes_at AND (yes_proven OR NOT is_proven) AND (key, said_by, is_proven) IN (
          SELECT key, said_by, is_proven FROM consent WHERE is_no AND said_by = yes_by AND said_by <> ''
          UNION ALL
          SELECT key, said_by, is_proven FROM consent
          WHERE is_no AND user_key = yes_user AND user_key <> '' AND (yes_proven OR NOT for_proven)
          UNION ALL
          SELECT key, said_by, is_proven FROM consent WHERE is_no AND key = yes_user AND (yes_proven OR NOT for_proven)
        ) ORDER BY key, said_by, is_proven FOR UPDATE
      ) AS no;
    END IF;
    INSERT INTO consent (key, said_by, is_proven, user_key, for_proven, is_no, kind, at, total, source)
    SELECT row ->> 0, row ->> 1, (row ->> 2)::boolean, row ->> 3, (row ->> 4)::boolean, (row ->> 5)::boolean, row ->> 6,
           (row ->> 7)::float8, row ->> 8, row ->> 9
    FROM json_array_elements(rows) AS row ORDER BY 1, 2, 3
    ON CONFLICT (key, said_by, is_proven) DO UPDATE SET
      user_key = excluded.user_key, for_proven = excluded.for_proven OR (consent.for_proven AND excluded.is_no),
      is_no = excluded.is_no,
      kind = CASE WHEN consent.is_no AND excluded.is_no AND (consent.kind = 'category' OR excluded.kind = 'device')
                  THEN consent.kind ELSE excluded.kind END,
      at = excluded.at, total = excluded.total, source = excluded.source,
      turn = CASE WHEN consent.is_no = excluded.is_no AND (consent.kind = excluded.kind OR consent.kind = 'category')
                  THEN consent.turn ELSE excluded.turn END
    WHERE excluded.at > consent.at
       OR (excluded.at = consent.at AND excluded.is_no AND (NOT consent.is_no OR excluded.for_proven > consent.for_proven));
    IF lifted IS NOT NULL THEN
      UPDATE consent AS no SET is_no = false, at = yes_at, turn = pg_current_xact_id()
      FROM json_array_elements(lifted) AS row
      WHERE no.is_no AND no.at < yes_at
        AND no.key = row ->> 0 AND no.said_by = row ->> 1 AND no.is_proven = (row ->> 2)::boolean;
      RETURN QUERY SELECT row ->> 0, row ->> 1 FROM json_array_elements(lifted) AS row;
    END IF;
  END LOOP;
END $$;

-- How many rows the two have: each connection counts in a slot of its own, so that none waits for another.
CREATE TABLE memory_size (
  kind text NOT NULL,
  slot smallint NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (kind, slot)
);

-- Events as received that made no delivery, encrypted, for as long as what kept them from it may be mended.
CREATE TABLE quarantined (
  id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  at float8 NOT NULL,
  ends_at float8 NOT NULL,
  source text NOT NULL,
  is_proven boolean NOT NULL,            -- whether its author was known by a secret
  name text NOT NULL,
  exit text NOT NULL,
  reason text NOT NULL,
  message_id text COLLATE "C" NOT NULL,
  keys text NOT NULL,                    -- a JSON array: the HMACs of its ids
  sealed text NOT NULL                   -- encrypted; the key is not here
);
-- A sample (`accepted`) stands beside the same event that made no delivery.
CREATE UNIQUE INDEX quarantined_message ON quarantined (source, message_id, (exit = 'accepted'), is_proven);
CREATE INDEX quarantined_ends ON quarantined (ends_at);

-- Written by `check` to prove that a commit succeeds.
CREATE TABLE probe (slot smallint PRIMARY KEY, count bigint NOT NULL);

-- Every delivery with its state, for those who search.
CREATE VIEW shown AS
  SELECT delivery.id, delivery.ad_account_id, delivery.preset, message_id, event_name, event_id, action_source,
         order_id, event_time, state, reason, attempts, enqueued_at, due_at, NULL::float8 AS settled_at, warnings,
         source, amount, currency, checkout_id, history, name,
         hold_until IS NOT NULL AS is_held, is_proven
  FROM queue JOIN delivery ON delivery.id = queue.id
  UNION ALL
  SELECT delivery.id, ad_account_id, preset, message_id, event_name, event_id, action_source,
         order_id, event_time, dead.state, reason, attempts, enqueued_at, NULL, settled_at, warnings,
         source, amount, currency, checkout_id, history, name, false, is_proven
  FROM dead JOIN delivery ON delivery.id = dead.id
  UNION ALL
  SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source,
         order_id, event_time, 'delivered', '', attempts, enqueued_at, NULL, settled_at, warnings,
         source, amount, currency, checkout_id, history, name, false, is_proven
  FROM delivered;
