-- Every statement of the PostgreSQL engine. A name, one sentence, the statement.
--
-- A set of rows travels as one JSON array, as in SQLite: a thousand rows are one parameter.

-- connected --
-- Set up a connection, and read what has to be known of its server.
-- Where the session is not the one that was told, a pooler is in between: then it is lent to others, and stays as it is.
SELECT (SELECT count(CASE WHEN is_direct THEN set_config(name, value, false) END) FROM (VALUES
         ('enable_seqscan', 'off'),               -- a plan made while a table was small must not outlive that
         ('jit', 'off'),                          -- compiling costs more than these statements take
         ('idle_in_transaction_session_timeout', '30s'),
         ('default_transaction_isolation', 'read committed')  -- whoever has waited sees what was written
       ) AS ours (name, value)),
       is_direct, current_setting('default_transaction_isolation'),
       current_setting('fsync'), current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
       current_setting('server_version_num')::integer, extract(epoch FROM clock_timestamp())::float8
FROM (SELECT pg_backend_pid() = %(told_pid)s::integer AS is_direct) AS session;

-- take_slot --
-- Take the lowest slot that no other connection has, for as long as this one lasts: whoever counts waits for nobody, and
-- nobody waits for each other in a circle.
SELECT slot FROM (SELECT generate_series(0, 32767) AS slot) AS slots WHERE pg_try_advisory_lock(740582, slot) LIMIT 1;

-- used_by_others --
-- Whether another connection counts here.
SELECT EXISTS (
  SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
  WHERE locktype = 'advisory' AND classid = 740582 AND datname = current_database() AND pid <> pg_backend_pid()
) OR EXISTS (  -- through a pooler, which holds no such lock
  SELECT FROM pg_stat_activity AS session
  WHERE application_name = 'pinrelay' AND datname = current_database() AND pid <> pg_backend_pid()
    AND query_start > clock_timestamp() - interval '5 s'
    AND NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 740582 AND pid = session.pid)
);

-- version --
-- The identity and the version of the schema.
SELECT identity, version FROM store_version;

-- has_tables --
-- Whether there is a version of the schema, and whether there are deliveries. `to_regclass` would not see tables that
-- another process has made since this connection looked last, within one transaction.
SELECT coalesce(bool_or(relname = 'store_version'), false), coalesce(bool_or(relname = 'delivery'), false)
FROM pg_class WHERE relname IN ('store_version', 'delivery') AND pg_table_is_visible(oid);

-- set_version --
-- Remember the version of the schema.
WITH old AS (DELETE FROM store_version) INSERT INTO store_version VALUES (%(identity)s, %(version)s);

-- unhurried --
-- Take all the time that a migration needs, and read whole tables as they lie, until the transaction ends.
SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true),
       set_config('enable_seqscan', 'on', true);

-- only_one --
-- Wait until nobody else changes the schema or the tables of days; the lock ends with the transaction.
SELECT pg_advisory_xact_lock(7405811246);

-- day_tables --
-- The tables of days: which table each is a part of, and its name.
SELECT parent.relname, part.relname FROM pg_inherits
JOIN pg_class AS parent ON parent.oid = inhparent JOIN pg_class AS part ON part.oid = inhrelid
WHERE inhparent IN ('delivered'::regclass, 'dropped_event'::regclass, 'counter_minute'::regclass, 'counter_hour'::regclass)
  AND part.relkind = 'r';

-- make_day_table --
-- Make the table of one day.
CREATE TABLE {table} (LIKE {parent} INCLUDING ALL);

-- attach_day_table --
-- Make it a part of the table of all days.
ALTER TABLE {parent} ATTACH PARTITION {table} FOR VALUES FROM ({start}) TO ({end});

-- stop_writing --
-- Keep all from writing to the table of one day; whoever reads it goes on.
LOCK TABLE {table} IN SHARE MODE;

-- drop_day_table --
-- Drop the table of one day.
DROP TABLE {table};

-- impatient --
-- Wait for a table no longer than this: whoever comes behind would wait as well.
SELECT set_config('lock_timeout', '500ms', true);

-- sum_hours --
-- Sum the counts of one day by hour.
INSERT INTO counter_hour (start_at, name, preset, label, ad_account_id, source, slot, count)
SELECT start_at / 3600 * 3600 AS hour, name, preset, label, ad_account_id, source, 0, sum(count) FROM counter_minute
WHERE start_at >= %(start)s AND start_at < %(end)s
GROUP BY hour, name, preset, label, ad_account_id, source
ON CONFLICT (start_at, name, preset, label, ad_account_id, source, slot)
DO UPDATE SET count = counter_hour.count + excluded.count;

-- count_day --
-- Count by name what was delivered on one day as gone.
WITH moved AS (
  SELECT name, source, enqueued_at AS at, 'delivered' AS state, -1 AS sign FROM delivered
  WHERE settled_at >= %(start)s AND settled_at < %(end)s
)/* named */;

-- store --
-- Store all that a group enqueues, if every key is new and the backlog has room; else nothing. Says which it was.
WITH
  too_much AS MATERIALIZED (
    SELECT FROM jsonb_array_elements(%(loads)s::jsonb) AS load
    LEFT JOIN backlog ON ad_account_id = load ->> 0 AND state IN ('pending', 'claimed')
    GROUP BY load
    HAVING (load ->> 2)::bigint + coalesce(sum(bytes), 0) > %(max_backlog_bytes)s::bigint
  ),
  fits AS MATERIALIZED (
    SELECT
    WHERE NOT EXISTS (SELECT FROM dedup_key WHERE digest = ANY (%(digests)s::text[]))
      AND NOT EXISTS (SELECT FROM too_much)
  ),
  new AS MATERIALIZED (
    SELECT coalesce((%(ids)s::bigint[])[place], nextval('delivery_id')) AS id, place, given,
           (span ->> 0)::integer AS payload_begin, (span ->> 1)::integer AS payload_bytes
    FROM fits, ROWS FROM (
      jsonb_array_elements(%(deliveries)s::jsonb), jsonb_array_elements(%(spans)s::jsonb)
    ) WITH ORDINALITY AS delivery (given, span, place)
  ),
  stored AS (
    INSERT INTO delivery (id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id,
                          event_time, warnings, traceparent, source, amount, currency, checkout_id, buyer, name,
                          is_trusted, shop, channel, side, owner, payload_version, payload)
    SELECT id, given ->> 0, given ->> 1, given ->> 2, given ->> 3, given ->> 4, given ->> 5, given ->> 6,
           (given ->> 7)::bigint, given ->> 8, given ->> 9, given ->> 10, given ->> 11, given ->> 12, given ->> 13,
           given ->> 14, given ->> 15, (given ->> 16)::boolean, given ->> 17, given ->> 18, given ->> 19, given ->> 21,
           %(version)s,
           substring(%(payloads)b::bytea FROM 1 + payload_begin FOR payload_bytes)
    FROM new
  ),
  lined_up AS (
    INSERT INTO queue (id, ad_account_id, preset, follows, hold_until, payload_bytes, due_at, enqueued_at)
    SELECT id, given ->> 0, given ->> 1, (given ->> 20)::bigint, (given ->> 22)::float8, payload_bytes,
           (given ->> 24)::float8, (given ->> 25)::float8
    FROM new
  ),
  remembered AS (
    INSERT INTO dedup_key (digest, delivery_id, expires_at, place, known, is_trusted)
    SELECT key ->> 0, id, (key ->> 2)::float8, (key ->> 3)::smallint, key ->> 4, (key ->> 5)::boolean
    FROM jsonb_array_elements(%(keys)s::jsonb) AS key JOIN new ON new.place = 1 + (key ->> 1)::bigint
    ORDER BY key ->> 0
  ),
  noted AS (
    INSERT INTO dropped_event (message_id, ad_account_id, preset, exit, reason, warnings, event_name, order_id,
                               amount, currency, source, name, channel, is_trusted, at)
    SELECT event ->> 0, event ->> 1, event ->> 2, event ->> 3, event ->> 4, event ->> 5, event ->> 6, event ->> 7, event ->> 8,
           event ->> 9, event ->> 10, event ->> 11, event ->> 12, (event ->> 13)::boolean,
           (event ->> 14)::float8
    FROM fits, jsonb_array_elements(%(dropped_events)s::jsonb) AS event
  ),
  tallied AS (
    INSERT INTO counter_minute (start_at, name, preset, label, ad_account_id, source, slot, count)
    SELECT (counter ->> 0)::bigint, counter ->> 1, counter ->> 2, counter ->> 3, counter ->> 4, counter ->> 5, %(slot)s,
           (counter ->> 6)::bigint
    FROM fits, jsonb_array_elements(%(counters)s::jsonb) AS counter ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (start_at, name, preset, label, ad_account_id, source, slot)
    DO UPDATE SET count = counter_minute.count + excluded.count
  ),
  reopened AS (
    DELETE FROM counter_sum USING (VALUES (3600), (21600), (86400)) AS span (length)
    WHERE span_s = length AND start_at > (%(counters)s::jsonb -> 0 ->> 0)::bigint - length
  ),
  counted AS (
    INSERT INTO backlog (ad_account_id, state, slot, count, bytes)
    SELECT given ->> 0, 'pending', %(slot)s, count(*), sum(payload_bytes) FROM new GROUP BY given ->> 0 ORDER BY 1
    ON CONFLICT (ad_account_id, state, slot)
    DO UPDATE SET count = backlog.count + excluded.count, bytes = backlog.bytes + excluded.bytes
  ),
  named AS (
    INSERT INTO name_count (name, source, day, state, slot, count)
    SELECT row ->> 0, row ->> 1, (row ->> 2)::integer, 'waiting', %(slot)s, (row ->> 3)::bigint
    FROM fits, jsonb_array_elements(%(named)s::jsonb) AS row ORDER BY 1, 2, 3
    ON CONFLICT (name, source, day, state, slot) DO UPDATE SET count = name_count.count + excluded.count
  ),
  owned AS (
    INSERT INTO delivery_owner (message_id, owner, at)
    SELECT row ->> 0, row ->> 1, (row ->> 2)::float8
    FROM fits, jsonb_array_elements(%(owners)s::jsonb) AS row
  ),
  ordered AS (
    SELECT (given ->> 25)::float8 AS at, given ->> 0 AS ad_account_id, given ->> 1 AS preset, given ->> 10 AS source,
           given ->> 18 AS channel, given ->> 12 AS currency, 'waiting' AS became, 1 AS sign, given ->> 11 AS amount, id
    FROM new WHERE given ->> 3 = 'checkout'
    UNION ALL
    SELECT (event ->> 14)::float8, event ->> 1, event ->> 2, event ->> 10, event ->> 12, event ->> 9, event ->> 3, 1, event ->> 8, NULL
    FROM fits, jsonb_array_elements(%(dropped_events)s::jsonb) AS event
    WHERE coalesce(event ->> 6 = 'checkout', event ->> 7 IS NOT NULL)
  ),
  earned AS (/* sums */)
SELECT EXISTS (SELECT FROM fits);

-- next_ids --
-- Ids for so many deliveries, ascending.
SELECT nextval('delivery_id') FROM generate_series(1, %(count)s);

-- forget_expired --
-- Forget these keys where their window is over.
DELETE FROM dedup_key WHERE digest = ANY (%(digests)s::text[]) AND expires_at <= %(now)s::float8;

-- seen --
-- Who holds which of these keys, since when (worked out where the delivery is gone), until when, and of which order.
SELECT digest, delivery_id,
       coalesce((SELECT enqueued_at FROM shown WHERE shown.id = delivery_id),
                expires_at - CASE left(known, 1) WHEN '[' THEN %(ledger_s)s::float8 ELSE %(window_s)s::float8 END),
       expires_at, place, known, is_trusted
FROM dedup_key WHERE digest = ANY (%(digests)s::text[]) AND expires_at > %(now)s::float8 ORDER BY digest, place;

-- unchanged --
-- Which of some deliveries are as they were read: no other process has claimed them, settled them or merged into them.
SELECT queue.id FROM jsonb_array_elements(%(rows)s::jsonb) AS row
JOIN queue ON queue.id = (row ->> 0)::bigint AND queue.state = row ->> 1
WHERE merged = (row ->> 2)::integer AND (attempts > 0 OR history IS NOT NULL) = (row ->> 3)::boolean
ORDER BY queue.id FOR UPDATE OF queue;

-- merge --
-- Merge other events into deliveries that have not left; they leave at once, unless their preset holds them.
WITH
  given AS (
    SELECT (row ->> 'delivery_id')::bigint AS id, row FROM jsonb_array_elements(%(rows)s::jsonb) AS row
  ),
  before AS MATERIALIZED (
    SELECT id, delivery.ad_account_id, delivery.preset, source, channel, currency, amount, event_name, enqueued_at, payload_bytes
    FROM given JOIN delivery USING (id) JOIN queue USING (id)
  ),
  rewritten AS (
    UPDATE delivery SET
      event_id = row ->> 'event_id', event_time = (row ->> 'event_time')::bigint, amount = row ->> 'amount',
      currency = row ->> 'currency', order_id = row ->> 'order_id', checkout_id = row ->> 'checkout_id',
      buyer = row ->> 'stored_buyer', warnings = row ->> 'stored_warnings', side = row ->> 'stored_side',
      is_trusted = (row ->> 'is_trusted')::boolean, channel = row ->> 'channel', merged = merged + 1, payload = convert_to(row ->> 'payload', 'UTF8')
    FROM given WHERE delivery.id = given.id
  ),
  let_go AS (
    UPDATE queue SET
      payload_bytes = octet_length(row ->> 'payload'), merged = merged + 1,
      follows = CASE WHEN (row ->> 'waits_on')::boolean THEN follows END,
      hold_until = CASE WHEN (row ->> 'waits_on')::boolean THEN hold_until
                        WHEN (row ->> 'hold_s')::float8 > 0
                        THEN (row ->> 'held_from')::float8 + (row ->> 'hold_s')::float8 END,
      due_at = CASE WHEN (row ->> 'waits_on')::boolean THEN due_at
                    ELSE (row ->> 'now')::float8 + (row ->> 'hold_s')::float8 END
    FROM given WHERE queue.id = given.id
  ),
  ordered AS (
    SELECT enqueued_at AS at, ad_account_id, preset, source, stands.channel, stands.currency, 'waiting' AS became, sign,
           stands.amount, id
    FROM before JOIN given USING (id),
         LATERAL (
           VALUES (before.channel, before.currency, before.amount, -1),
                  (row ->> 'channel', row ->> 'currency', row ->> 'amount', 1)
         ) AS stands (channel, currency, amount, sign)
    WHERE event_name = 'checkout'
  ),
  earned AS (/* sums */)
INSERT INTO backlog (ad_account_id, state, slot, count, bytes)
SELECT ad_account_id, 'pending', %(slot)s, 0, sum(octet_length(row ->> 'payload') - payload_bytes)
FROM before JOIN given USING (id) GROUP BY ad_account_id ORDER BY 1
ON CONFLICT (ad_account_id, state, slot) DO UPDATE SET bytes = backlog.bytes + excluded.bytes;

-- tell_waiting --
-- Write the warnings of deliveries anew.
UPDATE delivery SET warnings = row ->> 1 FROM jsonb_array_elements(%(rows)s::jsonb) AS row
WHERE delivery.id = (row ->> 0)::bigint;

-- tell_delivered --
-- The same of those that are delivered.
UPDATE delivered SET warnings = row ->> 1 FROM jsonb_array_elements(%(rows)s::jsonb) AS row
WHERE delivered.id = (row ->> 0)::bigint;

-- followers --
-- Deliveries that waited for the outcome of others, and the states of these.
SELECT queue.id, (SELECT state FROM shown WHERE shown.id = queue.follows)
FROM queue
WHERE queue.ad_account_id = %(ad_account_id)s AND queue.follows <> 0 AND queue.hold_until <= %(by)s::float8
ORDER BY queue.hold_until LIMIT %(limit)s FOR UPDATE OF queue SKIP LOCKED;

-- confirm --
-- Erase the sealed events of deliveries that wait to be withheld: their other side came.
DELETE FROM quarantined USING delivery
WHERE delivery.id = ANY (%(ids)s::bigint[]) AND reason = %(reason)s
  AND quarantined.source = delivery.source AND quarantined.message_id = delivery.message_id;

-- waiting --
-- How many deliveries wait for each ad account, and of how many bytes.
SELECT ad_account_id, sum(count)::bigint, sum(bytes)::bigint FROM backlog
WHERE state IN ('pending', 'claimed') GROUP BY ad_account_id;

-- learn_keys --
-- Remember what repetitions have told of deliveries, the last of them where several told of one key; what another process
-- stores there at the same moment stands.
INSERT INTO dedup_key (digest, delivery_id, expires_at, place, known, is_trusted, learned)
SELECT DISTINCT ON (key ->> 0, (key ->> 3)::smallint)
       key ->> 0, (key ->> 1)::bigint, (key ->> 2)::float8, (key ->> 3)::smallint, key ->> 4, (key ->> 5)::boolean, true
FROM jsonb_array_elements(%(rows)s::jsonb) WITH ORDINALITY AS told (key, turn)
ORDER BY key ->> 0, (key ->> 3)::smallint, turn DESC
ON CONFLICT (digest, place) DO UPDATE SET
  known = excluded.known, is_trusted = excluded.is_trusted, learned = true
WHERE dedup_key.delivery_id = excluded.delivery_id;

-- hold --
-- Take out of the queue, of what is due first, what is pending for presets that are switched off.
WITH
  fresh AS (
    SELECT id, preset, state FROM queue
    WHERE ad_account_id = %(ad_account_id)s AND retried = false AND NOT held AND hold_until IS NULL
    AND due_at <= %(now)s::float8
    /* apart */
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
  ),
  retries AS (
    SELECT id, preset, state FROM queue
    WHERE ad_account_id = %(ad_account_id)s AND retried = true AND NOT held AND hold_until IS NULL
    AND due_at <= %(now)s::float8
    /* apart */
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
  )
UPDATE queue SET held = true, reason = %(reason)s
WHERE id IN (
  SELECT id FROM (SELECT * FROM fresh UNION ALL SELECT * FROM retries) AS due
  WHERE state = 'pending' AND preset = ANY (%(without_presets)s::text[])
);

-- tell_holds --
-- Tell people anew about when holds end: a clock was set.
WITH held AS MATERIALIZED (
  SELECT id FROM queue WHERE ad_account_id = %(ad_account_id)s AND hold_until IS NOT NULL
  /* apart */
  ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE queue SET due_at = hold_until + %(ahead_s)s::float8 FROM held WHERE queue.id = held.id;

-- server_time --
-- What the server's clock shows.
SELECT extract(epoch FROM clock_timestamp())::float8;

-- held_presets --
-- Of which presets something is held: from one to the next by the index. NULL: a wait for others is over.
WITH RECURSIVE kept (preset) AS (
  SELECT (SELECT min(preset) FROM queue WHERE ad_account_id = %(ad_account_id)s AND held)
  UNION ALL
  SELECT (SELECT min(preset) FROM queue
          WHERE ad_account_id = %(ad_account_id)s AND held AND queue.preset > kept.preset)
  FROM kept WHERE kept.preset IS NOT NULL
)
SELECT preset FROM kept WHERE preset IS NOT NULL
UNION ALL
SELECT NULL WHERE EXISTS (
  SELECT FROM queue WHERE ad_account_id = %(ad_account_id)s AND follows <> 0 AND hold_until <= %(by)s::float8
);

-- claim --
-- Take what is due, fresh deliveries and retries by turns, unless the batch is neither full nor old enough.
-- While a batch fills up this is asked again and again: so nothing is read, or locked, unless all that waits would fill a
-- batch, or something has waited long enough. LIMIT is a number, by which PostgreSQL sees how few rows it is about.
-- A payload that is missing, or that a newer Pinrelay wrote, makes the statement fail, with the reason in the error, and so
-- changes nothing.
WITH
  reading AS MATERIALIZED (
    SELECT (SELECT sum(count) >= %(limit)s OR sum(bytes) >= %(max_bytes)s::bigint FROM backlog
            WHERE ad_account_id = %(ad_account_id)s AND state IN ('pending', 'claimed'))
        OR EXISTS (SELECT FROM queue WHERE ad_account_id = %(ad_account_id)s AND retried = false AND NOT held
                   AND hold_until IS NULL AND due_at <= %(now)s::float8 - %(max_wait_s)s::float8
                   /* apart */)
        OR EXISTS (SELECT FROM queue WHERE ad_account_id = %(ad_account_id)s AND retried = true AND NOT held
                   AND hold_until IS NULL AND due_at <= %(now)s::float8 - %(max_wait_s)s::float8
                   /* apart */) AS is_worth_it
  ),
  fresh AS (
    SELECT id, due_at, payload_bytes, retried, state, preset FROM queue
    WHERE ad_account_id = %(ad_account_id)s AND retried = false AND NOT held AND hold_until IS NULL
      AND due_at <= %(now)s::float8
      AND (%(take_over)s OR state = 'pending') AND (SELECT is_worth_it FROM reading)
    /* apart */
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
  ),
  retries AS (
    SELECT id, due_at, payload_bytes, retried, state, preset FROM queue
    WHERE ad_account_id = %(ad_account_id)s AND retried = true AND NOT held AND hold_until IS NULL
      AND due_at <= %(now)s::float8
      AND (%(take_over)s OR state = 'pending') AND (SELECT is_worth_it FROM reading)
    /* apart */
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
  ),
  due AS (
    SELECT id, due_at, payload_bytes, retried FROM (SELECT * FROM fresh UNION ALL SELECT * FROM retries) AS first
    WHERE state = 'claimed' OR preset <> ALL (%(without_presets)s::text[])
  ),
  turn AS (
    SELECT *, row_number() OVER (PARTITION BY retried ORDER BY due_at, id) AS turn FROM due
  ),
  placed AS MATERIALIZED (
    SELECT id, due_at, row_number() OVER turns AS place, sum(payload_bytes) OVER turns AS bytes
    FROM turn WINDOW turns AS (ORDER BY turn, retried ROWS UNBOUNDED PRECEDING)
  ),
  ready AS MATERIALIZED (
    SELECT FROM placed
    HAVING count(*) >= %(limit)s OR max(bytes) >= %(max_bytes)s::bigint
        OR min(due_at) <= %(now)s::float8 - %(max_wait_s)s::float8
  ),
  taken AS MATERIALIZED (
    SELECT placed.id, place, state = 'claimed' AS lease_was_lost
    FROM ready, placed JOIN queue ON queue.id = placed.id
    WHERE place = 1 OR (place <= %(limit)s AND bytes <= %(max_bytes)s::bigint)
  ),
  claimed AS (
    UPDATE queue
    SET state = 'claimed', attempts = attempts + 1, due_at = %(now)s::float8 + %(lease_s)s::float8,
        claim = CASE WHEN lease_was_lost THEN %(claim_after_loss)s ELSE %(claim)s END,
        history = CASE WHEN lease_was_lost
          THEN coalesce(history, '[]') || jsonb_build_array(
            jsonb_build_array(attempts, %(now)s::float8, 'retry', NULL, %(lease_lost)s::text))
          ELSE history END
    FROM taken WHERE queue.id = taken.id
    RETURNING queue.id, place, attempts, enqueued_at, claim, lease_was_lost, merged
  ),
  counted AS (
    INSERT INTO backlog (ad_account_id, state, slot, count)
    SELECT %(ad_account_id)s, moved.state, %(slot)s, sign * count(*)
    FROM taken, (VALUES ('claimed', 1), ('pending', -1)) AS moved (state, sign)
    WHERE NOT lease_was_lost GROUP BY moved.state, sign ORDER BY 2
    ON CONFLICT (ad_account_id, state, slot) DO UPDATE SET count = backlog.count + excluded.count
  )
SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source, attempts, enqueued_at,
       CASE WHEN payload IS NULL
         THEN (('the payload of delivery ' || id || ' is missing')::integer)::text::bytea
         WHEN payload_version > %(version)s
         THEN (('a payload of version ' || payload_version || ': a newer Pinrelay wrote it, start that version')::integer)::text::bytea
         WHEN claimed.merged = delivery.merged THEN payload END, traceparent, claim, lease_was_lost
FROM claimed LEFT JOIN delivery USING (id) ORDER BY place;

-- claimed_anew --
-- What is sent of deliveries into which another event was merged while they were claimed.
SELECT id, event_id, payload FROM delivery WHERE id = ANY (%(ids)s::bigint[]);

-- renew --
-- Lengthen the leases that are still ours. Whoever locks several of the queue does it in the order of their ids.
WITH ours AS MATERIALIZED (
  SELECT queue.id FROM jsonb_array_elements(%(rows)s::jsonb) AS row
  JOIN queue ON queue.id = (row ->> 0)::bigint AND queue.claim = row ->> 1
  ORDER BY queue.id FOR UPDATE OF queue
)
UPDATE queue SET due_at = %(until)s::float8 FROM ours WHERE queue.id = ours.id;

-- reschedule --
-- Let nothing wait, and no lease last, beyond these times.
WITH
  fresh AS (
    SELECT id FROM queue
    WHERE ad_account_id = %(ad_account_id)s AND retried = false AND NOT held AND hold_until IS NULL
      AND due_at > least(%(pending_by)s::float8, %(claimed_by)s::float8)
      AND due_at > CASE state WHEN 'claimed' THEN %(claimed_by)s::float8 ELSE %(pending_by)s::float8 END
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
  ),
  retries AS (
    SELECT id FROM queue
    WHERE ad_account_id = %(ad_account_id)s AND retried = true AND NOT held AND hold_until IS NULL
      AND due_at > least(%(pending_by)s::float8, %(claimed_by)s::float8)
      AND due_at > CASE state WHEN 'claimed' THEN %(claimed_by)s::float8 ELSE %(pending_by)s::float8 END
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
  )
UPDATE queue SET due_at = CASE state WHEN 'claimed' THEN %(claimed_by)s::float8 ELSE %(pending_by)s::float8 END
WHERE id IN (SELECT id FROM fresh UNION ALL SELECT id FROM retries);

-- settle --
-- Record what became of what is still ours, add counts, and say what has died.
WITH
  kinds AS MATERIALIZED (  -- most deliveries of a call are settled alike
    SELECT kind ->> 0 AS claim, kind ->> 1 AS state, (kind ->> 2)::float8 AS due_at, (kind ->> 3)::integer AS give_back,
           kind ->> 4 AS reason, nullif(kind -> 5, 'null') AS attempt, kind -> 6 AS ids
    FROM jsonb_array_elements(%(kinds)s::jsonb) AS kind
  ),
  given AS MATERIALIZED (
    SELECT id::bigint AS id, claim, state, due_at, give_back, reason, attempt
    FROM kinds, jsonb_array_elements_text(ids) AS each (id)
  ),
  ours AS MATERIALIZED (
    SELECT given.id, given.state, given.due_at, given.reason, ad_account_id, enqueued_at, payload_bytes,
           attempts - give_back AS attempts,
           CASE WHEN attempt IS NULL THEN history ELSE coalesce(history, '[]') || jsonb_build_array(
             jsonb_build_array(attempts, %(now)s::float8) || attempt) END AS history
    FROM given JOIN queue ON queue.id = given.id AND queue.claim = given.claim
    ORDER BY given.id FOR UPDATE OF queue
  ),
  again AS (
    UPDATE queue SET state = 'pending', claim = NULL, due_at = ours.due_at, attempts = ours.attempts,
                    reason = ours.reason, history = ours.history
    FROM ours WHERE queue.id = ours.id AND ours.state = 'pending'
  ),
  left_line AS (
    DELETE FROM queue USING ours WHERE queue.id = ours.id AND ours.state <> 'pending'
  ),
  gone AS (
    DELETE FROM delivery USING ours WHERE delivery.id = ours.id AND ours.state = 'delivered'
    RETURNING delivery.id, delivery.ad_account_id, preset, message_id, event_name, event_id, action_source, order_id,
              event_time, warnings, source, amount, currency, checkout_id, name, is_trusted, channel, owner,
              attempts, enqueued_at, history
  ),
  settled AS (
    INSERT INTO delivered (id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id,
                           event_time, warnings, source, amount, currency, checkout_id, name, is_trusted, channel, owner,
                           attempts, enqueued_at, settled_at, history)
    SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id,
           event_time, warnings, source, amount, currency, checkout_id, name, is_trusted, channel, owner, attempts,
           enqueued_at, %(now)s::float8, history
    FROM gone
  ),
  died AS (
    INSERT INTO dead (id, attempts, enqueued_at, settled_at, reason, history)
    SELECT id, attempts, enqueued_at, %(now)s::float8, reason, history FROM ours WHERE state = 'dead'
  ),
  tallied AS (
    INSERT INTO counter_minute (start_at, name, preset, label, ad_account_id, source, slot, count)
    SELECT (counter ->> 0)::bigint, counter ->> 1, counter ->> 2, counter ->> 3, counter ->> 4, counter ->> 5, %(slot)s,
           (counter ->> 6)::bigint
    FROM jsonb_array_elements(%(counters)s::jsonb) AS counter ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (start_at, name, preset, label, ad_account_id, source, slot)
    DO UPDATE SET count = counter_minute.count + excluded.count
  ),
  reopened AS (
    DELETE FROM counter_sum USING (VALUES (3600), (21600), (86400)) AS span (length)
    WHERE span_s = length AND start_at > (%(counters)s::jsonb -> 0 ->> 0)::bigint - length
  ),
  counted AS (
    INSERT INTO backlog (ad_account_id, state, slot, count, bytes)
    SELECT ad_account_id, moved, %(slot)s, sum(change), sum(bytes)
    FROM (
      SELECT ad_account_id, 'claimed' AS moved, -1 AS change,
             CASE state WHEN 'pending' THEN 0 ELSE -payload_bytes END AS bytes
      FROM ours
      UNION ALL SELECT ad_account_id, state, 1, 0 FROM ours WHERE state <> 'delivered'
    ) AS moves
    GROUP BY ad_account_id, moved ORDER BY 1, 2
    ON CONFLICT (ad_account_id, state, slot)
    DO UPDATE SET count = backlog.count + excluded.count, bytes = backlog.bytes + excluded.bytes
  ),
  summed AS (  -- before they move: text is not grouped twice
    SELECT name, source, floor(enqueued_at / 86400) AS day, 'delivered' AS state, count(*) AS number
    FROM gone GROUP BY name, source, day
    UNION ALL
    SELECT name, source, floor(enqueued_at / 86400), 'dead', 1 FROM ours JOIN delivery USING (id) WHERE state = 'dead'
  ),
  moved AS (
    SELECT name, source, day * 86400 AS at, stands.state, sign * number AS sign
    FROM summed, LATERAL (VALUES ('waiting', -1), (summed.state, 1)) AS stands (state, sign)
  ),
  named AS (/* named */),
  ordered AS (
    SELECT enqueued_at AS at, delivery.ad_account_id, preset, source, channel, currency, stands.became, sign, amount,
           CASE WHEN stands.became NOT IN ('public', 'unconfirmed') THEN id END AS id
    FROM ours JOIN delivery USING (id),
         LATERAL (VALUES
           ('waiting', -1, true), (state, 1, true), ('public', 1, state = 'delivered' AND NOT is_trusted),
           ('unconfirmed', 1, state = 'delivered' AND strpos(warnings, '"not confirmed by the shop"') > 0)
         ) AS stands (became, sign, holds)
    WHERE state <> 'pending' AND event_name = 'checkout' AND holds
  ),
  earned AS (/* sums */)
SELECT id FROM ours WHERE state = 'dead';

-- keep_payloads --
-- Keep payloads for a while, of deliveries that were settled in this transaction.
INSERT INTO kept_payload (id, body, erase_at)
SELECT id, body, %(erase_at)s::float8
FROM unnest(%(ids)s::bigint[], %(bodies)s::bytea[]) AS kept (id, body)
WHERE EXISTS (SELECT FROM delivered WHERE delivered.id = kept.id AND settled_at = %(now)s::float8)
ON CONFLICT (id) DO NOTHING;

-- payload --
-- The finished event of a delivery that is not settled.
SELECT payload FROM delivery WHERE id = %(id)s;

-- dead --
-- The ids of dead deliveries, newest first.
SELECT id FROM dead JOIN delivery USING (id)
WHERE dead.state = 'dead' AND /* asked */ ORDER BY id DESC LIMIT %(limit)s FOR UPDATE OF dead;

-- redrive --
-- Make dead deliveries pending again.
WITH
  risen AS (
    DELETE FROM dead WHERE id = ANY (%(ids)s::bigint[]) RETURNING id, enqueued_at, history
  ),
  moved AS (
    SELECT stands.at, stands.state, sign, ad_account_id, preset, source, event_name, channel, currency, amount, id, name
    FROM risen JOIN delivery USING (id),
         LATERAL (VALUES (enqueued_at, 'dead', -1), (%(now)s::float8, 'waiting', 1)) AS stands (at, state, sign)
  ),
  named AS (/* named */),
  ordered AS (
    SELECT at, ad_account_id, preset, source, channel, currency, state AS became, sign, amount, id FROM moved
    WHERE event_name = 'checkout'
  ),
  earned AS (/* sums */),
  lined_up AS (
    INSERT INTO queue (id, ad_account_id, preset, payload_bytes, enqueued_at, due_at, history, merged)
    SELECT id, ad_account_id, preset, length(payload), %(now)s::float8, %(now)s::float8, history, merged
    FROM risen JOIN delivery USING (id)
  )
INSERT INTO backlog (ad_account_id, state, slot, count, bytes)
SELECT ad_account_id, moved.state, %(slot)s, sign * count(*), CASE sign WHEN 1 THEN sum(length(payload)) ELSE 0 END
FROM risen JOIN delivery USING (id), (VALUES ('dead', -1), ('pending', 1)) AS moved (state, sign)
GROUP BY ad_account_id, moved.state, sign ORDER BY 1, 2
ON CONFLICT (ad_account_id, state, slot)
DO UPDATE SET count = backlog.count + excluded.count, bytes = backlog.bytes + excluded.bytes;

-- overtaken --
-- What is dead of events and orders that were just sent, or has just died: the ids.
WITH late AS (
  SELECT delivery.id FROM delivered AS sent JOIN delivery ON
       (delivery.event_id = sent.event_id AND delivery.event_id <> delivery.message_id)
    OR (delivery.message_id = sent.event_id AND delivery.event_id = delivery.message_id)
    OR (delivery.order_id = sent.order_id AND delivery.order_id IS NOT NULL)
  WHERE sent.id = ANY (%(sent)s::bigint[]) AND sent.settled_at = %(now)s::float8
    AND EXISTS (SELECT FROM dead WHERE dead.state = 'dead')
  UNION SELECT unnest(%(died)s::bigint[])
)
SELECT id FROM late JOIN dead USING (id) JOIN delivery USING (id) WHERE dead.state = 'dead' ORDER BY id DESC;

-- dismiss --
-- Dismiss dead deliveries, each with its new reason.
WITH
  given AS (
    SELECT (row ->> 0)::bigint AS id, row ->> 1 AS reason FROM jsonb_array_elements(%(rows)s::jsonb) AS row
  ),
  dismissing AS (
    UPDATE dead SET state = 'dismissed', reason = given.reason FROM given
    WHERE dead.id = given.id AND dead.state = 'dead' RETURNING dead.id, enqueued_at
  ),
  moved AS (
    SELECT id, enqueued_at AS at, stands.state, sign, ad_account_id, preset, source, event_name, amount, channel,
           currency, name
    FROM dismissing JOIN delivery USING (id), (VALUES ('dead', -1), ('dismissed', 1)) AS stands (state, sign)
  ),
  named AS (/* named */),
  ordered AS (
    SELECT at, ad_account_id, preset, source, channel, currency, state AS became, sign, amount, id FROM moved
    WHERE event_name = 'checkout'
  ),
  earned AS (/* sums */)
INSERT INTO backlog (ad_account_id, state, slot, count)
SELECT ad_account_id, state, %(slot)s, sum(sign) FROM moved GROUP BY ad_account_id, state ORDER BY 1, 2
ON CONFLICT (ad_account_id, state, slot) DO UPDATE SET count = backlog.count + excluded.count;

-- erase_payloads --
-- Erase the payloads of deliveries that are dismissed.
UPDATE delivery SET payload = '',
       side = CASE WHEN side LIKE '%%"own":%%' THEN (side::jsonb #- '{-1,own}')::text ELSE side END
FROM dead WHERE dead.id = delivery.id AND dead.state = 'dismissed' AND delivery.id = ANY (%(ids)s::bigint[]);

-- dead_causes --
-- Why deliveries are dead, the most frequent causes first, without what was added when they were not redriven.
SELECT split_part(reason, '; not redriven:', 1) COLLATE "C" AS cause, ad_account_id, preset, count(*), max(settled_at)
FROM (SELECT * FROM dead WHERE state = 'dead' ORDER BY id DESC LIMIT 100000) AS newest JOIN delivery USING (id)
GROUP BY cause, ad_account_id, preset
ORDER BY count(*) DESC, cause, ad_account_id COLLATE "C", preset COLLATE "C" LIMIT %(limit)s;

-- dead_losses --
-- What dead deliveries are worth, by cause, ad account and currency, those of the most frequent causes first.
SELECT split_part(reason, '; not redriven:', 1) COLLATE "C" AS cause, ad_account_id COLLATE "C" AS account,
       CASE event_name WHEN 'checkout' THEN coalesce(currency, '') ELSE '' END COLLATE "C" AS money, count(*),
       min(settled_at), max(settled_at),
       sum(CASE WHEN event_name = 'checkout' AND amount ~ '^[0-9]{1,12}([.][0-9]+)?$' THEN amount::numeric END)
FROM (SELECT * FROM dead WHERE state = 'dead' ORDER BY id DESC LIMIT 100000) AS newest JOIN delivery USING (id)
GROUP BY cause, account, money ORDER BY count(*) DESC, cause, account, money;

-- undelivered --
-- How many deliveries that were received in a span are not delivered, by step, ad account and state. Without a source
-- those that wait are counted by their index alone.
SELECT (floor(enqueued_at / %(step_s)s::float8) * %(step_s)s::float8)::bigint AS step, queue.ad_account_id,
       CASE WHEN %(by_source)s::integer = 1 THEN (SELECT source FROM delivery WHERE delivery.id = queue.id) ELSE '' END AS whose,
       'waiting', count(*)
FROM queue WHERE enqueued_at >= %(since)s::float8 AND enqueued_at < %(until)s::float8
GROUP BY 1, 2, 3
UNION ALL
SELECT (floor(enqueued_at / %(step_s)s::float8) * %(step_s)s::float8)::bigint, ad_account_id,
       CASE WHEN %(by_source)s::integer = 1 THEN source ELSE '' END, state, count(*)
FROM dead JOIN delivery USING (id)
WHERE settled_at >= %(since)s::float8 AND enqueued_at >= %(since)s::float8 AND enqueued_at < %(until)s::float8
GROUP BY 1, 2, 3, 4;

-- search_by_id --
-- Deliveries of one id, be it their own, their message's, event's or order's: few, so that they can be sorted.
SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time, state, reason,
       attempts, enqueued_at, due_at, settled_at, warnings, source, amount, currency, checkout_id, name, channel, is_held,
       is_trusted
FROM shown WHERE /* asked */ ORDER BY id DESC LIMIT %(limit)s::bigint;

-- search --
-- Deliveries, newest first. What waits, what is dead and what was delivered are read each by its own index, no further
-- than to the limit: the view of all of them has no order, so all that waits would be sorted for each page. Nor is a
-- state looked for where it cannot be: what is dead would be sought among all that waits.
SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time, state, reason,
       attempts, enqueued_at, due_at, settled_at, warnings, source, amount, currency, checkout_id, name, channel, is_held,
       is_trusted
FROM (
  (SELECT * FROM (
    SELECT delivery.id, delivery.ad_account_id, delivery.preset, message_id, event_name, event_id, action_source,
           order_id, event_time, state, reason, attempts, enqueued_at, due_at, NULL::float8 AS settled_at, warnings,
           source, amount, currency, checkout_id, history, name, channel, hold_until IS NOT NULL AS is_held, is_trusted
    FROM queue JOIN delivery ON delivery.id = queue.id
    WHERE coalesce(%(state)s::text, 'waiting') IN ('waiting', 'pending', 'claimed')
  ) AS shown WHERE /* asked */ ORDER BY id DESC LIMIT %(limit)s::bigint)
  UNION ALL
  (SELECT * FROM (
    SELECT delivery.id, ad_account_id, preset, message_id, event_name, event_id, action_source,
           order_id, event_time, dead.state, reason, attempts, enqueued_at, NULL::float8, settled_at, warnings,
           source, amount, currency, checkout_id, history, name, channel, false, is_trusted
    FROM dead JOIN delivery ON delivery.id = dead.id
    WHERE coalesce(%(state)s::text, 'dead') IN ('dead', 'dismissed')
  ) AS shown WHERE /* asked */ ORDER BY id DESC LIMIT %(limit)s::bigint)
  UNION ALL
  (SELECT * FROM (
    SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source,
           order_id, event_time, 'delivered' AS state, '' AS reason, attempts, enqueued_at, NULL::float8, settled_at,
           warnings, source, amount, currency, checkout_id, history, name, channel, false, is_trusted
    FROM delivered
  ) AS shown WHERE /* asked */ ORDER BY id DESC LIMIT %(limit)s::bigint)
) AS newest
ORDER BY id DESC LIMIT %(limit)s::bigint;

-- first_delivery_since --
-- The first delivery that was received since a moment: of the ranges of ids that have one as late, one after the other.
SELECT first FROM (SELECT id_range FROM id_range WHERE latest_at >= %(since)s::float8 GROUP BY id_range ORDER BY id_range) AS late,
  LATERAL (SELECT least(
    (SELECT min(id) FROM queue WHERE id >= id_range << 12 AND id < id_range + 1 << 12 AND enqueued_at >= %(since)s::float8),
    (SELECT min(id) FROM dead WHERE id >= id_range << 12 AND id < id_range + 1 << 12 AND enqueued_at >= %(since)s::float8),
    (SELECT min(id) FROM delivered WHERE id >= id_range << 12 AND id < id_range + 1 << 12 AND enqueued_at >= %(since)s::float8)
  ) AS first OFFSET 0) AS of_range
WHERE first IS NOT NULL ORDER BY id_range LIMIT 1;

-- orders --
-- Deliveries of checkouts, the oldest first; read as `search` reads.
SELECT id, order_id, state, reason, amount, currency, preset, source, ad_account_id, channel, event_time
FROM (
  (SELECT queue.id, order_id, state, reason, amount, currency, queue.preset, source, queue.ad_account_id, channel,
          event_time
   FROM queue JOIN delivery ON delivery.id = queue.id
   WHERE queue.id > %(after)s::bigint AND event_name = 'checkout' AND enqueued_at >= %(since)s::float8
   ORDER BY queue.id LIMIT %(limit)s::bigint)
  UNION ALL
  (SELECT dead.id, order_id, dead.state, reason, amount, currency, preset, source, ad_account_id, channel,
          event_time
   FROM dead JOIN delivery ON delivery.id = dead.id
   WHERE dead.id > %(after)s::bigint AND event_name = 'checkout' AND enqueued_at >= %(since)s::float8
   ORDER BY dead.id LIMIT %(limit)s::bigint)
  UNION ALL
  (SELECT id, order_id, 'delivered', '', amount, currency, preset, source, ad_account_id, channel,
          event_time
   FROM delivered WHERE id > %(after)s::bigint AND event_name = 'checkout' AND enqueued_at >= %(since)s::float8
   ORDER BY id LIMIT %(limit)s::bigint)
) AS oldest
ORDER BY id LIMIT %(limit)s::bigint;

-- delivery_range --
-- The lowest and the highest delivery.
SELECT (SELECT min(id) FROM (SELECT min(id) AS id FROM delivery UNION ALL SELECT min(id) FROM delivered) AS lowest),
       (SELECT max(id) FROM (SELECT max(id) AS id FROM delivery UNION ALL SELECT max(id) FROM delivered) AS highest);

-- whole --
-- The history and the payload of deliveries, as far as they are kept.
SELECT id, history, coalesce(nullif(delivery.payload, ''), kept_payload.body)
FROM shown LEFT JOIN delivery USING (id) LEFT JOIN kept_payload USING (id)
WHERE id = ANY (%(ids)s::bigint[]);

-- search_dropped --
-- Dropped events, newest first.
SELECT id, at, message_id, ad_account_id, preset, exit, reason, warnings, event_name, order_id, amount, currency,
       source, name, channel, is_trusted, was_enqueued
FROM dropped_event
WHERE id < %(before)s::bigint AND id >= %(floor)s::bigint
  AND at >= %(since)s::float8 AND at < %(until)s::float8
  AND CASE WHEN was_enqueued THEN 'withdrawn' ELSE exit END = ANY (%(outcomes)s::text[])
  AND (%(message_id)s::text IS NULL OR message_id = %(message_id)s::text)
  AND (%(order_id)s::text IS NULL OR order_id = %(order_id)s::text)
  AND (%(ad_account_id)s::text IS NULL OR ad_account_id = %(ad_account_id)s::text)
  AND (%(preset)s::text IS NULL OR preset = %(preset)s::text)
  AND (NOT %(matched)s::boolean OR preset IS NOT NULL)
  AND (%(taken)s::boolean IS NULL OR (preset IS NOT NULL) = %(taken)s::boolean)
  AND (%(event_name)s::text IS NULL OR event_name = %(event_name)s::text)
  AND (%(name)s::text IS NULL OR name = %(name)s::text)
  AND (%(source)s::text IS NULL OR source = %(source)s::text)
  AND (%(channel)s::text IS NULL OR channel = %(channel)s::text)
  AND (%(currency)s::text IS NULL OR coalesce(currency, '') = %(currency)s::text)
  AND (%(is_order)s::boolean IS NULL OR %(is_order)s::boolean =
       (exit <> 'unmatched' AND coalesce(event_name = 'checkout', order_id IS NOT NULL)))
  AND (%(reason)s::text IS NULL OR strpos(lower(reason COLLATE "C"), lower(%(reason)s::text COLLATE "C")) > 0)
  AND (%(warning)s::text IS NULL OR EXISTS (
        SELECT FROM jsonb_array_elements(warnings::jsonb) AS told
        WHERE jsonb_typeof(told) = 'string' AND strpos(lower((told #>> '{}') COLLATE "C"), lower(%(warning)s::text COLLATE "C")) > 0))
ORDER BY id DESC LIMIT %(limit)s;

-- dropped_event_range --
-- The first dropped event since a moment, and the highest.
SELECT (SELECT min(id) FROM dropped_event WHERE at >= %(since)s::float8), (SELECT max(id) FROM dropped_event);

-- backlog --
-- How many deliveries of an ad account stand where, how many bytes wait, and since when the oldest does.
SELECT state, sum(count)::bigint, sum(bytes)::bigint, (SELECT min(enqueued_at) FROM queue WHERE ad_account_id = %(ad_account_id)s)
FROM backlog WHERE ad_account_id = %(ad_account_id)s AND state <> 'dismissed' GROUP BY state;

-- next_due --
-- The highest id given to a delivery, and the first moment after `after` at which something is due for an ad account.
SELECT (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM delivery_id),
       (SELECT min(first) FROM (
          SELECT (SELECT min(due_at) FROM queue
                  WHERE ad_account_id = %(ad_account_id)s AND retried = kind AND NOT held AND hold_until IS NULL
                    AND due_at > %(after)s::float8) AS first
          FROM (VALUES (false), (true)) AS kinds (kind)
        ) AS each_kind);

-- tell --
-- Tell every process that this one has written something.
SELECT pg_notify('pinrelay', %(process)s);

-- listen --
-- Be told.
LISTEN pinrelay;

-- one_moment --
-- Let all statements of the transaction see the store at one moment.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;

-- counters --
-- Sums of counts by step, all in one where the step is 0: as `sum_parameters` says of which sums.
SELECT CASE %(step_s)s::bigint WHEN 0 THEN %(since)s::float8
       ELSE (start_at / nullif(%(step_s)s::bigint, 0) * %(step_s)s::bigint)::float8 END AS step,
       name, preset, label, ad_account_id, source, sum(count)::bigint
FROM (/* counted */) AS each_span
WHERE %(names)s::text[] IS NULL OR name = ANY(%(names)s::text[])
GROUP BY step, name, preset, label, ad_account_id, source
ORDER BY step, name COLLATE "C", preset COLLATE "C", label COLLATE "C", ad_account_id COLLATE "C",
         source COLLATE "C";

-- first_count --
-- When the first minute or hour begins since a moment in which anything was counted.
SELECT least((SELECT min(start_at) FROM counter_minute WHERE start_at >= %(begin)s::bigint),
             (SELECT min(start_at) FROM counter_hour WHERE start_at >= %(begin)s::bigint));

-- only_one_sums --
-- Whether nobody else sums at this moment; the lock ends with the transaction.
SELECT pg_try_advisory_xact_lock(7405811248);

-- stop_counting --
-- Wait for all who count, and keep others from it until the transaction ends: what is counted late drops only those sums
-- that were there when it began.
LOCK TABLE counter_sum IN SHARE MODE;

-- one_inventory --
-- Wait until nobody else changes the inventory; the lock ends with the transaction.
SELECT pg_advisory_xact_lock(7405811247);

-- revenue --
-- What the orders of some days are worth, those of all slots together.
SELECT day, ad_account_id, preset, source, channel, currency, became, sum(orders)::bigint, sum(without_amount)::bigint,
       sum(millionths), max(largest), (array_agg(largest_id ORDER BY largest DESC NULLS LAST))[1]
FROM revenue WHERE day >= %(first_day)s AND day <= %(last_day)s
GROUP BY day, ad_account_id, preset, source, channel, currency, became HAVING sum(orders) > 0
ORDER BY day, ad_account_id, preset, source, channel, currency, became;

-- retain_revenue --
-- Forget days with the ledger.
DELETE FROM revenue WHERE (day, ad_account_id, preset, source, channel, currency, became, slot) IN (
  SELECT day, ad_account_id, preset, source, channel, currency, became, slot FROM revenue
  WHERE day < floor(%(days_start)s::float8 / 86400)::integer LIMIT %(limit)s OFFSET %(skip)s
);

-- forget_properties --
-- Forget the rarest properties of each name on a day, as many as are too many.
-- They are ranked once (ARRAY): a join with the ranks ranks all anew for each row, where no statistics know the day yet.
DELETE FROM inventory WHERE ctid = ANY(ARRAY(
  SELECT ctid FROM (
    SELECT ctid, row_number() OVER (PARTITION BY source, type, name ORDER BY count DESC, label) AS place FROM inventory
    WHERE span_s = 86400 AND counted = 'property' AND start_at = %(day)s
  ) AS ranked
  WHERE place > %(max_properties)s
));

-- name_counts --
-- Where the deliveries of some names stand that came on some days, those of all slots together.
SELECT name, source, day, state, sum(count)::bigint
FROM jsonb_array_elements(%(rows)s::jsonb) AS asked JOIN name_count ON name = asked ->> 0 AND source = asked ->> 1
WHERE day >= %(first_day)s AND day <= %(last_day)s
GROUP BY name, source, day, state HAVING sum(count) > 0;

-- retain_name_counts --
-- Forget of which names nothing of a day is left. Any slots whose sum is nothing may go; those that are written stay.
WITH old AS (
  SELECT name, source, day, state, slot, count FROM name_count WHERE day < floor(%(days_start)s::float8 / 86400)::integer
  LIMIT %(limit)s OFFSET %(skip)s FOR UPDATE SKIP LOCKED
)
DELETE FROM name_count AS counts USING old
WHERE (counts.name, counts.source, counts.day, counts.state, counts.slot) = (old.name, old.source, old.day, old.state, old.slot)
  AND (old.name, old.source, old.day, old.state) IN (
    SELECT name, source, day, state FROM old GROUP BY name, source, day, state HAVING sum(count) = 0
  );

-- list_shared --
-- All shared values whose key starts with one of these.
SELECT key, value, revision FROM shared JOIN unnest(%(prefixes)s::text[]) AS prefix ON starts_with(key, prefix) ORDER BY key;

-- retain_imports --
-- Forget how far imports came that nobody went on with for as long as the ledger is kept, and rows of what is forgotten.
-- It was taken away where it is null. Certificates of erasures are forgotten with the audit log, requests of access
-- and incidents with the ledger.
DELETE FROM shared WHERE key IN (
  SELECT key FROM shared
  WHERE (key >= 'import' AND key < 'imporu' OR key >= 'erasure/' AND key < 'erasure0' OR key >= 'access/' AND key < 'access0'
      OR key >= 'incident/' AND key < 'incident0')
    AND CASE
    WHEN value = 'null' THEN true
    WHEN key >= 'erasure/' AND key < 'import' THEN (value::jsonb ->> 'at')::float8 <= %(audit_start)s::float8
    WHEN starts_with(key, 'import-digests/') THEN NOT EXISTS (
      SELECT FROM shared AS head WHERE head.key = 'import-rows/' || split_part(shared.key, '/', 2))
    WHEN starts_with(key, 'incident/') THEN (value::jsonb ->> 'until')::float8 <= %(ledger_start)s::float8
    ELSE (value::jsonb ->> 'at')::float8 <= %(ledger_start)s::float8
  END LIMIT %(limit)s OFFSET %(skip)s FOR UPDATE SKIP LOCKED
);

-- retain_payloads --
-- Erase payloads that were kept long enough.
DELETE FROM kept_payload WHERE id IN (
  SELECT id FROM kept_payload WHERE erase_at <= %(now)s::float8 ORDER BY erase_at LIMIT %(limit)s OFFSET %(skip)s
  FOR UPDATE SKIP LOCKED
);

-- retain_dead --
-- Forget dead and dismissed deliveries with all that belongs to them.
WITH
  old AS MATERIALIZED (
    SELECT id FROM dead WHERE settled_at <= %(ledger_start)s::float8 ORDER BY settled_at LIMIT %(limit)s OFFSET %(skip)s
    FOR UPDATE SKIP LOCKED
  ),
  gone AS (DELETE FROM dead USING old WHERE dead.id = old.id RETURNING dead.id, dead.state, enqueued_at),
  gone_delivery AS (
    DELETE FROM delivery USING old WHERE delivery.id = old.id RETURNING delivery.id, ad_account_id, name, source
  ),
  moved AS (SELECT name, source, enqueued_at AS at, state, -1 AS sign FROM gone JOIN gone_delivery USING (id)),
  named AS (/* named */),
  counted AS (
    INSERT INTO backlog (ad_account_id, state, slot, count)
    SELECT ad_account_id, state, %(slot)s, -count(*) FROM gone JOIN gone_delivery USING (id)
    GROUP BY ad_account_id, state ORDER BY 1, 2
    ON CONFLICT (ad_account_id, state, slot) DO UPDATE SET count = backlog.count + excluded.count
  )
SELECT count(*) FROM old;

-- retain_id_ranges --
-- Forget how late deliveries were that are all gone, below the lowest one.
DELETE FROM id_range WHERE id_range < (
  SELECT min(id) >> 12 FROM (SELECT min(id) AS id FROM delivery UNION ALL SELECT min(id) FROM delivered) AS lowest
);

-- probe --
-- Change one row, to prove that a commit succeeds.
INSERT INTO probe (slot, count) VALUES (%(slot)s, 1) ON CONFLICT (slot) DO UPDATE SET count = probe.count + 1;

-- holds_anything --
-- Whether there is anything that a move takes.
SELECT EXISTS (SELECT FROM delivery) OR EXISTS (SELECT FROM delivered) OR EXISTS (SELECT FROM dropped_event)
    OR EXISTS (SELECT FROM dedup_key) OR EXISTS (SELECT FROM counter_minute) OR EXISTS (SELECT FROM counter_hour)
    OR EXISTS (SELECT FROM audit) OR EXISTS (SELECT FROM suppression) OR EXISTS (SELECT FROM consent) OR EXISTS (SELECT FROM person)
    OR EXISTS (SELECT FROM inventory) OR EXISTS (SELECT FROM quarantined);

-- highest_ids --
-- The highest ids ever given to a delivery and to a dropped event.
SELECT (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM delivery_id),
       (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM dropped_event_id);

-- begin_ids_above --
-- Give deliveries and dropped events ids above these.
SELECT setval('delivery_id', greatest(%(delivery)s, (SELECT last_value FROM delivery_id)), true),
       setval('dropped_event_id', greatest(%(dropped_event)s, (SELECT last_value FROM dropped_event_id)), true)
WHERE %(delivery)s > 0 OR %(dropped_event)s > 0;

-- transfer_waiting_out --
-- Deliveries that are not delivered, to be moved to another outbox.
SELECT shown.id, shown.ad_account_id, shown.preset, shown.message_id, shown.event_name, shown.event_id,
       shown.action_source, shown.order_id, shown.event_time, shown.warnings, traceparent, shown.source, shown.amount,
       shown.currency, shown.checkout_id, buyer, shown.state, coalesce(held, false), shown.reason, shown.attempts,
       shown.enqueued_at, shown.due_at, shown.settled_at, claim, shown.history, nullif(payload, ''), payload_version,
       NULL, shown.name, hold_until, shown.is_trusted, shop, side, follows, delivery.merged, shown.channel
FROM delivery JOIN shown USING (id) LEFT JOIN queue USING (id)
WHERE id > %(after_0)s ORDER BY id LIMIT %(limit)s;

-- transfer_waiting_in --
-- Deliveries of another outbox that are not delivered.
WITH
  given AS (
    SELECT (row ->> 0)::bigint AS id, row FROM jsonb_array_elements(%(rows)s::jsonb) AS row
  ),
  new AS MATERIALIZED (
    SELECT id, row FROM given WHERE NOT EXISTS (SELECT FROM shown WHERE shown.id = given.id)
  ),
  stored AS (
    INSERT INTO delivery (id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id,
                          event_time, warnings, traceparent, source, amount, currency, checkout_id, buyer,
                          payload_version, payload, name, is_trusted, shop, side, merged, channel)
    SELECT id, row ->> 1, row ->> 2, row ->> 3, row ->> 4, row ->> 5, row ->> 6, row ->> 7, (row ->> 8)::bigint,
           row ->> 9, row ->> 10, row ->> 11, row ->> 12, row ->> 13, row ->> 14, row ->> 15, (row ->> 26)::smallint,
           convert_to(coalesce(row ->> 25, ''), 'UTF8'), row ->> 28, (row ->> 30)::boolean, row ->> 31, row ->> 32,
           (row ->> 34)::integer, row ->> 35
    FROM new
  ),
  lined_up AS (
    INSERT INTO queue (id, ad_account_id, preset, state, held, reason, attempts, payload_bytes, enqueued_at, due_at,
                      claim, history, hold_until, follows, merged)
    SELECT id, row ->> 1, row ->> 2, row ->> 16, (row ->> 17)::boolean, row ->> 18, (row ->> 19)::integer,
           octet_length(row ->> 25), (row ->> 20)::float8, (row ->> 21)::float8, row ->> 23, row -> 24,
           (row ->> 29)::float8, (row ->> 33)::bigint, (row ->> 34)::integer
    FROM new WHERE row ->> 16 NOT IN ('dead', 'dismissed')
  ),
  buried AS (
    INSERT INTO dead (id, state, reason, attempts, enqueued_at, settled_at, history)
    SELECT id, row ->> 16, row ->> 18, (row ->> 19)::integer, (row ->> 20)::float8, (row ->> 22)::float8, row -> 24
    FROM new WHERE row ->> 16 IN ('dead', 'dismissed')
  ),
  timed AS (
    INSERT INTO id_range (id_range, slot, latest_at) SELECT id >> 12, %(slot)s, max((row ->> 20)::float8) FROM new
    WHERE row ->> 16 IN ('dead', 'dismissed') GROUP BY 1 ORDER BY 1 ON CONFLICT (id_range, slot) DO UPDATE SET latest_at = greatest(id_range.latest_at, excluded.latest_at)
  ),
  moved AS (
    SELECT row ->> 28 AS name, row ->> 11 AS source, (row ->> 20)::float8 AS at, row ->> 16 AS state, 1 AS sign FROM new
  ),
  named AS (/* named */),
  counted AS (
    INSERT INTO backlog (ad_account_id, state, slot, count, bytes)
    SELECT row ->> 1, row ->> 16, %(slot)s, count(*),
           coalesce(sum(octet_length(row ->> 25)) FILTER (WHERE row ->> 16 NOT IN ('dead', 'dismissed')), 0)
    FROM new GROUP BY row ->> 1, row ->> 16 ORDER BY 1, 2
    ON CONFLICT (ad_account_id, state, slot)
    DO UPDATE SET count = backlog.count + excluded.count, bytes = backlog.bytes + excluded.bytes
  )
SELECT count(*) FROM new;

-- drop_waiting --
-- Deliveries that were moved to another outbox.
WITH
  given AS MATERIALIZED (
    SELECT (row ->> 0)::bigint AS id FROM jsonb_array_elements(%(rows)s::jsonb) AS row
  ),
  from_line AS (
    DELETE FROM queue USING given WHERE queue.id = given.id RETURNING queue.id, state, enqueued_at, payload_bytes
  ),
  from_dead AS (
    DELETE FROM dead USING given WHERE dead.id = given.id RETURNING dead.id, dead.state, enqueued_at, 0
  ),
  gone AS (
    DELETE FROM delivery USING given WHERE delivery.id = given.id RETURNING delivery.id, ad_account_id, name, source
  ),
  moved AS (
    SELECT name, source, enqueued_at AS at, state, -1 AS sign, ad_account_id, payload_bytes
    FROM (SELECT * FROM from_line UNION ALL SELECT * FROM from_dead) AS stands JOIN gone USING (id)
  ),
  named AS (/* named */)
INSERT INTO backlog (ad_account_id, state, slot, count, bytes)
SELECT ad_account_id, state, %(slot)s, -count(*), -sum(payload_bytes) FROM moved
GROUP BY ad_account_id, state ORDER BY 1, 2
ON CONFLICT (ad_account_id, state, slot)
DO UPDATE SET count = backlog.count + excluded.count, bytes = backlog.bytes + excluded.bytes;

-- transfer_delivered_out --
-- Deliveries that are delivered, to be moved to another outbox.
SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time, warnings, NULL,
       source, amount, currency, checkout_id, '[]', 'delivered', false, '', attempts, enqueued_at, NULL, settled_at,
       NULL, history, body, 1, erase_at, name, NULL, is_trusted, '', NULL, NULL, 0, channel
FROM delivered LEFT JOIN kept_payload USING (id)
WHERE id > %(after_0)s ORDER BY id LIMIT %(limit)s;

-- transfer_delivered_in --
-- Deliveries of another outbox that are delivered.
WITH
  given AS (
    SELECT (row ->> 0)::bigint AS id, row FROM jsonb_array_elements(%(rows)s::jsonb) AS row
  ),
  new AS MATERIALIZED (
    SELECT id, row FROM given WHERE NOT EXISTS (SELECT FROM shown WHERE shown.id = given.id)
  ),
  stored AS (
    INSERT INTO delivered (id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id,
                           event_time, warnings, source, amount, currency, checkout_id, name, is_trusted, channel,
                           attempts, enqueued_at, settled_at, history)
    SELECT id, row ->> 1, row ->> 2, row ->> 3, row ->> 4, row ->> 5, row ->> 6, row ->> 7, (row ->> 8)::bigint,
           row ->> 9, row ->> 11, row ->> 12, row ->> 13, row ->> 14, row ->> 28, (row ->> 30)::boolean,
           row ->> 35, (row ->> 19)::integer,
           (row ->> 20)::float8, (row ->> 22)::float8, row -> 24
    FROM new
  ),
  timed AS (
    INSERT INTO id_range (id_range, slot, latest_at) SELECT id >> 12, %(slot)s, max((row ->> 20)::float8) FROM new
    GROUP BY 1 ORDER BY 1 ON CONFLICT (id_range, slot) DO UPDATE SET latest_at = greatest(id_range.latest_at, excluded.latest_at)
  ),
  moved AS (
    SELECT row ->> 28 AS name, row ->> 11 AS source, (row ->> 20)::float8 AS at, 'delivered' AS state, 1 AS sign FROM new
  ),
  named AS (/* named */),
  kept AS (
    INSERT INTO kept_payload (id, body, erase_at)
    SELECT id, convert_to(row ->> 25, 'UTF8'), (row ->> 27)::float8 FROM new WHERE row ->> 25 IS NOT NULL
  )
SELECT count(*) FROM new;

-- drop_delivered --
-- Delivered ones that were moved to another outbox.
WITH
  given AS MATERIALIZED (
    SELECT (row ->> 0)::bigint AS id, (row ->> 1)::float8 AS settled_at
    FROM jsonb_array_elements(%(rows)s::jsonb) AS row
  ),
  payloads AS (DELETE FROM kept_payload USING given WHERE kept_payload.id = given.id),
  moved AS (
    DELETE FROM delivered USING given WHERE delivered.id = given.id AND delivered.settled_at = given.settled_at
    RETURNING name, source, enqueued_at AS at, 'delivered' AS state, -1 AS sign
  )/* named */;

-- transfer_dropped_events_in --
-- Dropped events of another outbox.
WITH written AS (
  INSERT INTO dropped_event (id, message_id, ad_account_id, preset, exit, reason, warnings, event_name, order_id,
                             amount, currency, source, name, channel, is_trusted, was_enqueued, at)
  SELECT (row ->> 0)::bigint, row ->> 1, row ->> 2, row ->> 3, row ->> 4, row ->> 5, row ->> 6, row ->> 7, row ->> 8,
         row ->> 9, row ->> 10, row ->> 11, row ->> 12, row ->> 13, (row ->> 14)::boolean,
         (row ->> 15)::boolean, (row ->> 16)::float8
  FROM jsonb_array_elements(%(rows)s::jsonb) AS row
  WHERE NOT EXISTS (SELECT FROM dropped_event WHERE dropped_event.id = (row ->> 0)::bigint)
  RETURNING 1
)
SELECT count(*) FROM written;

-- drop_dropped_events --
-- Dropped events that were moved to another outbox.
DELETE FROM dropped_event USING jsonb_array_elements(%(rows)s::jsonb) AS row
WHERE dropped_event.id = (row ->> 0)::bigint AND dropped_event.at = (row ->> 1)::float8;

-- transfer_audit_in --
-- The audit log of another outbox; lines that follow have ids above it.
WITH
  written AS (
    INSERT INTO audit (id, at, who, place, what, target, was, became)
    SELECT (row ->> 0)::bigint, (row ->> 1)::float8, row ->> 2, row ->> 3, row ->> 4, row ->> 5, row ->> 6, row ->> 7
    FROM jsonb_array_elements(%(rows)s::jsonb) AS row
    ON CONFLICT DO NOTHING
    RETURNING id
  ),
  moved AS (
    SELECT setval('audit_id', greatest(max(id), (SELECT last_value FROM audit_id)), true)
    FROM written HAVING count(*) > 0
  )
SELECT (SELECT count(*) FROM written) FROM (SELECT count(*) FROM moved) AS done;

-- transfer_counts_out --
-- Counts of all slots, to be moved to another outbox.
SELECT span_s, start_at, name, preset, label, ad_account_id, source, sum(count)::bigint
FROM (
  SELECT 60 AS span_s, start_at, name COLLATE "C" AS name, preset COLLATE "C" AS preset, label COLLATE "C" AS label,
         ad_account_id COLLATE "C" AS ad_account_id, source COLLATE "C" AS source, count
  FROM counter_minute
  UNION ALL
  SELECT 3600, start_at, name COLLATE "C", preset COLLATE "C", label COLLATE "C", ad_account_id COLLATE "C",
         source COLLATE "C", count
  FROM counter_hour
) AS each_span
WHERE (span_s, start_at, name, preset, label, ad_account_id, source)
    > (%(after_0)s::integer, %(after_1)s::bigint, %(after_2)s, %(after_3)s, %(after_4)s, %(after_5)s, %(after_6)s)
GROUP BY span_s, start_at, name, preset, label, ad_account_id, source
ORDER BY span_s, start_at, name, preset, label, ad_account_id, source LIMIT %(limit)s;

-- transfer_counts_in --
-- Counts of another outbox: in a slot of their own, where what is there already is theirs.
WITH
  given AS (
    SELECT (row ->> 0)::integer AS span_s, (row ->> 1)::bigint AS start_at, row ->> 2 AS name, row ->> 3 AS preset,
           row ->> 4 AS label, row ->> 5 AS ad_account_id, row ->> 6 AS source, (row ->> 7)::bigint AS count
    FROM jsonb_array_elements(%(rows)s::jsonb) AS row
  ),
  -- Sums of steps are no more than copies: they are made again.
  sums AS (DELETE FROM counter_sum),
  minutes AS (
    INSERT INTO counter_minute (start_at, name, preset, label, ad_account_id, source, slot, count)
    SELECT start_at, name, preset, label, ad_account_id, source, -1, count FROM given WHERE span_s = 60
    ON CONFLICT DO NOTHING RETURNING 1
  ),
  hours AS (
    INSERT INTO counter_hour (start_at, name, preset, label, ad_account_id, source, slot, count)
    SELECT start_at, name, preset, label, ad_account_id, source, -1, count FROM given WHERE span_s = 3600
    ON CONFLICT DO NOTHING RETURNING 1
  )
SELECT (SELECT count(*) FROM minutes) + (SELECT count(*) FROM hours);

-- drop_counts --
-- Counts that were moved to another outbox.
WITH
  given AS MATERIALIZED (
    SELECT (row ->> 0)::integer AS span_s, (row ->> 1)::bigint AS start_at, row ->> 2 AS name, row ->> 3 AS preset,
           row ->> 4 AS label, row ->> 5 AS ad_account_id, row ->> 6 AS source
    FROM jsonb_array_elements(%(rows)s::jsonb) AS row
  ),
  sums AS (DELETE FROM counter_sum),
  minutes AS (
    DELETE FROM counter_minute AS counter USING given
    WHERE span_s = 60 AND counter.start_at = given.start_at AND counter.name = given.name
      AND counter.preset = given.preset AND counter.label = given.label
      AND counter.ad_account_id = given.ad_account_id AND counter.source = given.source
  )
DELETE FROM counter_hour AS counter USING given
WHERE span_s = 3600 AND counter.start_at = given.start_at AND counter.name = given.name
  AND counter.preset = given.preset AND counter.label = given.label
  AND counter.ad_account_id = given.ad_account_id AND counter.source = given.source;

-- transfer_revenue_out --
-- What orders are worth, to be moved to another outbox.
SELECT day, ad_account_id COLLATE "C", preset COLLATE "C", source COLLATE "C", channel COLLATE "C", currency COLLATE "C",
       became COLLATE "C",
       sum(orders)::bigint, sum(without_amount)::bigint,
       greatest(least(sum(millionths), 9000000000000000000), -9000000000000000000)::bigint, max(largest)::bigint,
       (array_agg(largest_id ORDER BY largest DESC NULLS LAST))[1]
FROM revenue
WHERE (day, ad_account_id COLLATE "C", preset COLLATE "C", source COLLATE "C", channel COLLATE "C", currency COLLATE "C",
       became COLLATE "C")
    > (%(after_0)s::integer, %(after_1)s, %(after_2)s, %(after_3)s, %(after_4)s, %(after_5)s, %(after_6)s)
GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7 LIMIT %(limit)s;

-- transfer_revenue_in --
-- What the orders of another outbox are worth: in a slot of their own.
WITH written AS (
  INSERT INTO revenue (day, ad_account_id, preset, source, channel, currency, became, slot, orders, without_amount,
                       millionths, largest, largest_id)
  SELECT (row ->> 0)::integer, row ->> 1, row ->> 2, row ->> 3, row ->> 4, row ->> 5, row ->> 6, -1,
         (row ->> 7)::bigint, (row ->> 8)::bigint, (row ->> 9)::numeric, (row ->> 10)::numeric, (row ->> 11)::bigint
  FROM jsonb_array_elements(%(rows)s::jsonb) AS row
  ON CONFLICT DO NOTHING RETURNING 1
)
SELECT count(*) FROM written;

-- drop_revenue --
-- Sums that were moved to another outbox.
DELETE FROM revenue AS sums USING jsonb_array_elements(%(rows)s::jsonb) AS row
WHERE sums.day = (row ->> 0)::integer AND sums.ad_account_id = row ->> 1 AND sums.preset = row ->> 2
  AND sums.source = row ->> 3 AND sums.channel = row ->> 4 AND sums.currency = row ->> 5 AND sums.became = row ->> 6;

-- day_delivered --
-- What was delivered on a day: a table of its own.
SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time, warnings, NULL,
       source, amount, currency, checkout_id, '[]', 'delivered', false, '', attempts, enqueued_at, NULL, settled_at,
       NULL, history, NULL, 1, NULL, name, NULL, is_trusted, '', NULL, NULL, 0, channel
FROM delivered
WHERE settled_at >= %(begin)s::float8 AND settled_at < %(end)s::float8 AND id > %(after_id)s
ORDER BY id LIMIT %(limit)s;

-- day_dead --
-- What died on a day, and is dead still, or dismissed.
SELECT dead.id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time, warnings,
       traceparent, source, amount, currency, checkout_id, buyer, dead.state, false, reason, attempts, enqueued_at, NULL,
       settled_at, NULL, history, NULL, 1, NULL, name, NULL, is_trusted, shop, side, NULL, merged, channel
FROM dead JOIN delivery USING (id)
WHERE settled_at >= %(begin)s::float8 AND settled_at < %(end)s::float8 AND dead.id > %(after_id)s
ORDER BY dead.id LIMIT %(limit)s;

-- day_dropped_events --
-- What was noted on a day: a table of its own.
SELECT id, message_id, ad_account_id, preset, exit, reason, warnings, event_name, order_id, amount, currency, source,
       name, channel, is_trusted, was_enqueued, at
FROM dropped_event
WHERE at >= %(begin)s::float8 AND at < %(end)s::float8 AND id > %(after_id)s ORDER BY id LIMIT %(limit)s;

-- day_counts --
-- What was counted on a day, by hour.
SELECT start_at / 3600 * 3600 AS hour, name, preset, label, ad_account_id, source, sum(count)::bigint
FROM (
  SELECT * FROM counter_minute WHERE start_at >= %(begin)s AND start_at < %(end)s
  UNION ALL SELECT * FROM counter_hour WHERE start_at >= %(begin)s AND start_at < %(end)s
) AS each_span
GROUP BY hour, name, preset, label, ad_account_id, source
ORDER BY hour, name COLLATE "C", preset COLLATE "C", label COLLATE "C", ad_account_id COLLATE "C",
         source COLLATE "C";

-- consent_keys --
-- About which ids something else was answered since a snapshot, with their opt-outs as a `ConsentBook` has them; and the snapshot of now.
SELECT coalesce((SELECT json_agg(json_build_array(key, opt_outs)) FROM (
         SELECT key, bit_or(CASE WHEN NOT is_opt_out THEN 0 ELSE CASE kind WHEN 'device' THEN 1 WHEN 'opt_out' THEN 2 ELSE 4 END
                                                            + CASE WHEN is_trusted THEN 0 ELSE 8 END END) AS opt_outs
         FROM consent WHERE key IN (SELECT key FROM consent WHERE turn >= %(after)s::text::xid8) GROUP BY key) AS kept), '[]'),
       pg_snapshot_xmin(pg_current_snapshot())::text;

-- write_consents --
-- Note what was answered about ids; returns what each yes lifted.
SELECT key, author FROM write_consents(%(groups)s::json);

-- subjects_of --
-- Whose some deliveries are. Of a trusted one, what a public event of the same message id says is not asked.
WITH meant AS MATERIALIZED (
  SELECT id, message_id, is_trusted, CASE event_name WHEN 'checkout' THEN order_id END AS order_id, side,
         CASE WHEN (substr(owner, 33, 1) = '1') = is_trusted THEN owner END AS owner
  FROM delivery WHERE id = ANY(%(ids)s::bigint[])
)
SELECT id, is_trusted, order_id, side, rtrim(substr(owner, 1, 16)), rtrim(substr(owner, 17, 16)), substr(owner, 34)
FROM meant WHERE owner IS NOT NULL
UNION ALL
SELECT id, is_trusted, order_id, side, rtrim(substr(other.owner, 1, 16)), rtrim(substr(other.owner, 17, 16)),
       substr(other.owner, 34)
FROM meant LEFT JOIN LATERAL (
  SELECT owner FROM delivery_owner
  WHERE delivery_owner.message_id = meant.message_id AND (substr(owner, 33, 1) = '1') = is_trusted
) AS other ON true
WHERE meant.owner IS NULL OR other.owner IS NOT NULL;

-- people --
-- What is remembered of `keys`, of the users that they lead to, and of all ids that lead to those; none to `browsers`.
WITH RECURSIVE forward (key, step) AS (
  SELECT unnest(%(keys)s::text[]) COLLATE "C", 0
  UNION
  SELECT linked_to, step + 1 FROM forward JOIN person USING (key) WHERE linked_to IS NOT NULL AND step < %(steps)s
), everyone (key, step) AS (
  SELECT DISTINCT key, 0 FROM forward
  UNION
  SELECT person.key, step + 1 FROM everyone JOIN person ON person.linked_to = everyone.key
  WHERE step < %(steps)s AND everyone.key <> ALL(%(browsers)s::text[])
), known (key) AS MATERIALIZED (SELECT DISTINCT key FROM (SELECT key FROM everyone LIMIT %(limit)s) AS first)
, suppressed (key) AS MATERIALIZED (
  SELECT key FROM known
  UNION SELECT also FROM known JOIN suppression USING (key), json_array_elements_text(suppression.record::json -> 'also') AS also
)
SELECT key, revision, person.record, suppression.record
FROM suppressed LEFT JOIN (SELECT person.* FROM known JOIN person USING (key)) AS person USING (key)
     LEFT JOIN suppression USING (key)
WHERE revision IS NOT NULL OR suppression.record IS NOT NULL;

-- people_with --
-- Ids of a stretch of memory that begin as one of some digests, or under which one is remembered.
-- Behind them the last id of the stretch, and how many it has.
WITH stretch AS MATERIALIZED (
  SELECT key, record FROM person WHERE key > %(after)s::text ORDER BY key LIMIT %(limit)s
)
SELECT coalesce(array_agg(key) FILTER (
         WHERE EXISTS (
           SELECT 1 FROM unnest(%(digests)s::text[]) AS digest WHERE strpos(record, digest) > 0 OR digest = left(key, 16)
         )
       ), '{}'), max(key), count(*)
FROM stretch;

-- lock_suppressions --
-- Until the transaction ends, let nobody set or lift the suppression of an id that is looked at, nor look at one that we set or
-- lift. Ids share so few locks that any number of them has room in the server's table of locks.
SELECT CASE WHEN is_ours THEN pg_advisory_xact_lock(740581, place) ELSE pg_advisory_xact_lock_shared(740581, place) END
FROM (
  SELECT hashtext(row ->> 0) & 255 AS place, bool_or((row ->> 1 IS NULL) <> (row ->> 2 IS NULL)) AS is_ours
  FROM json_array_elements(%(suppressions)s::json) AS row GROUP BY 1 ORDER BY 1
) AS places;

-- people_changed --
-- A key whose row or suppression is no longer what was read; nothing where all are.
SELECT row ->> 0 FROM json_array_elements(%(rows)s::json) AS row LEFT JOIN person ON person.key = row ->> 0
WHERE coalesce(revision, 0) <> (row ->> 1)::bigint
UNION ALL
SELECT row ->> 0 FROM json_array_elements(%(suppressions)s::json) AS row LEFT JOIN suppression ON suppression.key = row ->> 0
WHERE suppression.record IS DISTINCT FROM row ->> 1;

-- forget_people --
-- Forget ids of which nothing is left, where they are still what was read.
DELETE FROM person USING json_array_elements(%(rows)s::json) AS row
WHERE key = row ->> 0 AND row ->> 6 IS NULL AND revision = (row ->> 1)::bigint;

-- write_people --
-- Remember rows, each under the revision that follows the one that was read, where that still stands.
WITH given AS (
  SELECT row ->> 0 AS key, (row ->> 1)::bigint AS revision, row ->> 2 AS linked_to, (row ->> 3)::float8 AS linked_at,
         (row ->> 4)::float8 AS seen_at, (row ->> 5)::float8 AS stale_at, row ->> 6 AS record
  FROM json_array_elements(%(rows)s::json) AS row WHERE row ->> 6 IS NOT NULL
), updated AS (
  UPDATE person SET revision = given.revision + 1, linked_to = given.linked_to, linked_at = given.linked_at,
                    seen_at = given.seen_at, stale_at = given.stale_at, record = given.record
  FROM given WHERE person.key = given.key AND given.revision > 0 AND person.revision = given.revision
  RETURNING 1
), added AS (
  INSERT INTO person (key, revision, linked_to, linked_at, seen_at, stale_at, record)
  SELECT key, 1, linked_to, linked_at, seen_at, stale_at, record FROM given WHERE revision = 0
  ON CONFLICT (key) DO NOTHING RETURNING 1
)
SELECT (SELECT count(*) FROM updated), (SELECT count(*) FROM added);

-- write_suppressions --
-- Set suppressions while there is room, for public ones in their half, and let others go; return by how many they are more, and
-- the public ones among them.
WITH given AS (
  SELECT row ->> 0 AS key, row ->> 1 AS was, row ->> 2 AS now, strpos(row ->> 2, '"is_trusted":true') = 0 AS is_public,
         strpos(row ->> 1, '"is_trusted":true') = 0 AS was_public
  FROM json_array_elements(%(rows)s::json) AS row
), lifted AS (
  DELETE FROM suppression USING given WHERE suppression.key = given.key AND given.now IS NULL RETURNING suppression.is_public
), updated AS (
  UPDATE suppression SET record = given.now FROM given WHERE suppression.key = given.key AND given.now IS NOT NULL
  RETURNING given.is_public::int - given.was_public::int AS public
), new AS (
  SELECT key, now, is_public, row_number() OVER (PARTITION BY is_public ORDER BY key COLLATE "C") AS number,
         row_number() OVER (ORDER BY is_public, key COLLATE "C") AS of_all
  FROM given WHERE now IS NOT NULL AND was IS NULL
), added AS (
  INSERT INTO suppression (key, record) SELECT key, now FROM new
  WHERE of_all <= %(room)s + (SELECT count(*) FROM lifted)
    AND (NOT is_public OR number <= %(public_room)s + (SELECT count(*) FROM lifted WHERE is_public))
  ORDER BY key COLLATE "C"
  ON CONFLICT (key) DO NOTHING RETURNING is_public
)
SELECT (SELECT count(*) FROM added) - (SELECT count(*) FROM lifted),
       (SELECT count(*) FROM added WHERE is_public) - (SELECT count(*) FROM lifted WHERE is_public)
       + (SELECT coalesce(sum(public), 0)::bigint FROM updated);

-- count_hour --
-- Count what a public key has added.
INSERT INTO memory_hour (key, hour, slot, people, suppressions)
SELECT row ->> 0, (row ->> 1)::bigint, %(slot)s, (row ->> 2)::bigint, (row ->> 3)::bigint
FROM json_array_elements(%(rows)s::json) AS row
ON CONFLICT (key, hour, slot)
DO UPDATE SET people = memory_hour.people + excluded.people, suppressions = memory_hour.suppressions + excluded.suppressions;

-- retain_suppressions --
-- Forget suppressions that are over; return how many, and the public ones among them.
WITH gone AS (
  DELETE FROM suppression WHERE key IN (
    SELECT key FROM suppression WHERE ends_at < %(now)s::float8 ORDER BY ends_at LIMIT %(limit)s OFFSET %(skip)s
    FOR UPDATE SKIP LOCKED
  ) RETURNING is_public
)
SELECT count(*), count(*) FILTER (WHERE is_public) FROM gone;

-- retain_memory_hours --
-- Forget what public keys added in earlier hours.
DELETE FROM memory_hour WHERE (key, hour, slot) IN (
  SELECT key, hour, slot FROM memory_hour WHERE hour < %(now)s::float8 / 3600 - 1 LIMIT %(limit)s OFFSET %(skip)s
);

-- forget_oldest_linked --
-- Forget the ids of a user that are more than may be: those that public events linked, and the longest linked, first.
DELETE FROM person WHERE key IN (
  SELECT key FROM (
    SELECT key, trust, row_number() OVER (PARTITION BY linked_to ORDER BY trust = 2 DESC, linked_at DESC) AS number
    FROM person WHERE linked_to = ANY(%(keys)s::text[])
  ) AS numbered WHERE number > %(max_linked)s AND trust <> 1
);

-- memory_size --
-- How many ids are remembered, how many are suppressed, how many by public events alone, and what a public key has added in
-- an hour.
SELECT coalesce(sum(count) FILTER (WHERE kind = 'person'), 0)::bigint,
       coalesce(sum(count) FILTER (WHERE kind = 'suppression'), 0)::bigint,
       coalesce(sum(count) FILTER (WHERE kind = 'public suppression'), 0)::bigint,
       coalesce((SELECT greatest(sum(people), sum(suppressions)) FROM memory_hour
                 WHERE key = %(key)s AND hour = %(hour)s), 0)::bigint
FROM memory_size;

-- count_memory --
-- Count what came or went.
INSERT INTO memory_size (kind, slot, count)
VALUES ('person', %(slot)s, %(people)s), ('suppression', %(slot)s, %(suppressions)s), ('public suppression', %(slot)s, %(public_suppressions)s)
ON CONFLICT (kind, slot) DO UPDATE SET count = memory_size.count + excluded.count;

-- stale_people --
-- Take out of records what is too old, and links. What is left of them may be nothing.
WITH old AS (
  SELECT key, record::jsonb AS record FROM person WHERE stale_at < %(now)s::float8
  ORDER BY stale_at LIMIT %(limit)s OFFSET %(skip)s FOR UPDATE SKIP LOCKED
), kept AS (
  SELECT old.key, fact.key AS name, fact.value,
         (fact.value ->> 'at')::float8
         + CASE fact.key WHEN 'click' THEN %(click_s)s::float8 ELSE %(lasts_s)s::float8 END AS ends
  FROM old, jsonb_each(old.record -> 'facts') AS fact
), fresh AS (
  SELECT old.key,
         coalesce((SELECT jsonb_object_agg(name, value) FROM kept
                   WHERE kept.key = old.key AND ends >= %(now)s::float8), '{}') AS facts,
         (SELECT min(ends) FROM kept WHERE kept.key = old.key AND ends >= %(now)s::float8) AS facts_end,
         (old.record #>> '{link,at}')::float8 + %(lasts_s)s::float8 AS link_ends,
         old.record -> 'link' AS link
  FROM old
)
UPDATE person SET
  record = jsonb_build_object('facts', facts, 'link', CASE WHEN link_ends >= %(now)s::float8 THEN link END)::text,
  linked_to = CASE WHEN link_ends >= %(now)s::float8 THEN linked_to END,
  linked_at = CASE WHEN link_ends >= %(now)s::float8 THEN linked_at END,
  stale_at = least(facts_end, CASE WHEN link_ends >= %(now)s::float8 THEN link_ends END),
  revision = revision + 1
FROM fresh WHERE person.key = fresh.key;

-- forget_unseen --
-- Forget the ids that were unseen longest, as many as are too many; those of public events first.
DELETE FROM person WHERE key IN (
  SELECT key FROM person ORDER BY trust > 0, seen_at LIMIT greatest(0, %(limit)s) OFFSET %(skip)s FOR UPDATE SKIP LOCKED
);

-- owned --
-- Whose the messages are of which an id or a contact begins as one of these keys, of a stretch of ids.
SELECT message_id, nullif(rtrim(substr(owner, 1, 16)), ''), nullif(rtrim(substr(owner, 17, 16)), ''),
       nullif(substr(owner, 34), ''), substr(owner, 33, 1) = '1'
FROM message_owner
WHERE id > %(after)s::bigint AND id <= %(end)s::bigint
  AND (substr(owner, 1, 16) = ANY(%(keys)s::text[]) OR substr(owner, 17, 16) = ANY(%(keys)s::text[])
    OR message_id = ANY(%(messages)s::text[])
    OR substr(owner, 34, 16) = ANY(%(keys)s::text[]) OR substr(owner, 50, 16) = ANY(%(keys)s::text[])
    OR (octet_length(owner) > 65 AND EXISTS (SELECT FROM unnest(%(keys)s::text[]) AS key WHERE strpos(owner, key) > 0)));

-- last_owner_id --
-- The highest id of a row that may tell whose a message is.
SELECT greatest((SELECT max(id) FROM delivery_owner), (SELECT max(id) FROM delivery), (SELECT max(id) FROM delivered));

-- may_list_log --
-- Whether this user may see the files of the write-ahead log.
SELECT has_function_privilege('pg_ls_waldir()', 'execute');

-- age_of_log --
-- How old the oldest file of the write-ahead log is, in seconds.
SELECT extract(epoch FROM now() - min(modification))::float8 FROM pg_ls_waldir();

-- messages_of_deliveries --
-- The messages of deliveries that are of some ids, by what their keys begin with.
SELECT message_id FROM message_owner
WHERE delivery_id IS NOT NULL
  AND (substr(owner, 1, 16) = ANY(%(keys)s::text[]) OR substr(owner, 17, 16) = ANY(%(keys)s::text[]));

-- forget_owners --
-- Forget whose the other messages of some ids are, by what their keys begin with, and whose some messages are; return them.
DELETE FROM delivery_owner
WHERE substr(owner, 1, 16) = ANY(%(keys)s::text[]) OR substr(owner, 17, 16) = ANY(%(keys)s::text[])
   OR message_id = ANY(%(messages)s::text[])
RETURNING message_id;

-- lock_waiting --
-- Wait for whoever sends or withdraws what waits of some messages, and keep others from it until the transaction ends.
SELECT queue.id FROM queue JOIN delivery USING (id) WHERE message_id = ANY(%(keys)s::text[])
ORDER BY queue.id FOR UPDATE OF queue;

-- lock_dead --
-- The same of what is dead, and may be redriven.
SELECT dead.id FROM dead JOIN delivery USING (id) WHERE message_id = ANY(%(keys)s::text[])
ORDER BY dead.id DESC FOR UPDATE OF dead;

-- deliveries_of --
-- The ids of all deliveries of some messages.
SELECT id FROM shown WHERE message_id = ANY(%(keys)s::text[]);

-- kept_of --
-- Which messages of a stretch of deliveries hold one of some digests, and how many others tell nobody by an id.
-- Behind them the last id of the stretch, and how many deliveries it has.
WITH
  stretch AS MATERIALIZED (
    SELECT * FROM (
      (SELECT id, message_id, owner, payload AS body FROM delivery WHERE id > %(after)s::bigint ORDER BY id LIMIT %(limit)s)
      UNION ALL
      (SELECT kept_payload.id, message_id, owner, body FROM kept_payload JOIN delivered ON delivered.id = kept_payload.id
       WHERE kept_payload.id > %(after)s::bigint ORDER BY kept_payload.id LIMIT %(limit)s)
    ) AS both_kinds ORDER BY id LIMIT %(limit)s
  ),
  judged AS MATERIALIZED (
    SELECT message_id, owner, EXISTS (
             SELECT FROM unnest(%(digests)s::text[]) AS digest WHERE position(digest::bytea IN body) > 0
           ) AS is_meant,
           octet_length(body) > 0 AND position('"external_id"'::bytea IN body) = 0 AS is_nobodys
    FROM stretch
  )
SELECT coalesce((SELECT array_agg(message_id) FROM judged WHERE is_meant), '{}'),
       (SELECT count(*) FROM judged
        WHERE is_nobodys AND NOT is_meant AND owner IS NULL
          AND message_id NOT IN (SELECT message_id FROM delivery_owner)),
       (SELECT max(id) FROM stretch),
       (SELECT count(*) FROM stretch);

-- kept_elsewhere --
-- How many keys of orders tell buyers of whom nothing else is kept, and whether memory keeps anything.
-- Of orders that came since it is kept whose messages are, nothing is unknown.
SELECT (SELECT count(*) FROM dedup_key
        WHERE left(known, 1) = '[' AND known::jsonb #>> '{1,0}' IS NOT NULL
          AND expires_at < %(lasts_s)s::float8 + least(
            'infinity', (SELECT at FROM delivery_owner ORDER BY id LIMIT 1),
            (SELECT at FROM message_owner WHERE delivery_id > 0 ORDER BY delivery_id LIMIT 1))
          AND NOT EXISTS (SELECT FROM unnest(%(digests)s::text[]) AS digest WHERE strpos(known, left(digest, 32)) > 0)
          AND NOT EXISTS (SELECT FROM delivery WHERE delivery.id = delivery_id)
          AND NOT EXISTS (SELECT FROM kept_payload WHERE kept_payload.id = delivery_id)
          AND NOT EXISTS (SELECT FROM delivered
                          WHERE delivered.id = delivery_id
                            AND (owner IS NOT NULL OR message_id IN (SELECT message_id FROM delivery_owner)))),
       EXISTS (SELECT FROM person);

-- erase_keys_with --
-- Say of keys that their person is erased, wherever what is known of an order holds one of some digests.
UPDATE dedup_key SET known = %(erased)s
WHERE known IS NOT NULL
  AND EXISTS (SELECT FROM unnest(%(digests)s::text[]) AS digest WHERE strpos(known, left(digest, 32)) > 0);

-- forget_reasons --
-- Erase why events of some messages made no delivery.
UPDATE dropped_event SET reason = %(reason)s, warnings = '[]'
WHERE message_id = ANY(%(keys)s::text[]) AND message_id <> '' AND reason <> %(reason)s;

-- forget_payloads --
-- Erase the kept payloads of some messages, and whose delivered ones were.
WITH told AS (UPDATE delivered SET owner = NULL WHERE message_id = ANY(%(keys)s::text[]) RETURNING id)
DELETE FROM kept_payload USING told WHERE kept_payload.id = told.id;

-- forget_deliveries --
-- Erase what waits or is dead of some messages.
WITH
  gone AS (
    DELETE FROM delivery WHERE message_id = ANY(%(keys)s::text[])
    RETURNING id, ad_account_id, preset, event_name, amount, channel, currency, source, name, length(payload) AS size
  ),
  left_line AS (
    DELETE FROM queue USING gone WHERE queue.id = gone.id RETURNING queue.id, state, enqueued_at
  ),
  ordered AS (
    SELECT enqueued_at AS at, ad_account_id, preset, source, channel, currency, 'waiting' AS became, -1 AS sign,
           amount, id
    FROM left_line JOIN gone USING (id) WHERE event_name = 'checkout'
  ),
  earned AS (/* sums */),
  left_dead AS (
    DELETE FROM dead USING gone WHERE dead.id = gone.id RETURNING dead.id, dead.state, enqueued_at
  ),
  moved AS (
    SELECT name, source, enqueued_at AS at, state, -1 AS sign, ad_account_id, size
    FROM (SELECT * FROM left_line UNION ALL SELECT * FROM left_dead) AS stands JOIN gone USING (id)
  ),
  named AS (/* named */)
INSERT INTO backlog (ad_account_id, state, slot, count, bytes)
SELECT ad_account_id, state, %(slot)s, -count(*), CASE WHEN state IN ('dead', 'dismissed') THEN 0 ELSE -sum(size) END
FROM moved GROUP BY ad_account_id, state ORDER BY 1, 2
ON CONFLICT (ad_account_id, state, slot)
DO UPDATE SET count = backlog.count + excluded.count, bytes = backlog.bytes + excluded.bytes;

-- transfer_suppressions_in --
-- Who opted out, of another outbox.
WITH
  written AS (
    INSERT INTO suppression (key, record) SELECT row ->> 0, row ->> 1 FROM jsonb_array_elements(%(rows)s::jsonb) AS row
    ON CONFLICT DO NOTHING RETURNING is_public
  ),
  counted AS (
    INSERT INTO memory_size (kind, slot, count)
    SELECT 'suppression', %(slot)s, count(*) FROM written
    UNION ALL SELECT 'public suppression', %(slot)s, count(*) FILTER (WHERE is_public) FROM written
    ON CONFLICT (kind, slot) DO UPDATE SET count = memory_size.count + excluded.count
  )
SELECT count(*) FROM written;

-- drop_suppressions --
-- Suppressions that were moved to another outbox.
WITH
  gone AS (
    DELETE FROM suppression USING jsonb_array_elements(%(rows)s::jsonb) AS row WHERE key = row ->> 0 RETURNING is_public
  )
INSERT INTO memory_size (kind, slot, count)
SELECT 'suppression', %(slot)s, -count(*) FROM gone
UNION ALL SELECT 'public suppression', %(slot)s, -count(*) FILTER (WHERE is_public) FROM gone
ON CONFLICT (kind, slot) DO UPDATE SET count = memory_size.count + excluded.count;

-- transfer_consents_in --
-- What people answered, of another outbox.
WITH
  written AS (
    INSERT INTO consent (key, author, is_trusted, user_key, for_trusted, is_opt_out, kind, at, total, source)
    SELECT row ->> 0, row ->> 1, (row ->> 2)::int = 1, row ->> 3, (row ->> 4)::int = 1, (row ->> 5)::int = 1, row ->> 6,
           (row ->> 7)::float8, row ->> 8, row ->> 9
    FROM jsonb_array_elements(%(rows)s::jsonb) AS row
    ON CONFLICT DO NOTHING RETURNING 1
  )
SELECT count(*) FROM written;

-- transfer_people_out --
-- What is remembered of people, to be moved to another outbox.
SELECT key, linked_to, linked_at, seen_at, stale_at, revision, record FROM person
WHERE key > %(after_0)s ORDER BY key LIMIT %(limit)s;

-- transfer_people_in --
-- What another outbox remembered of people.
WITH
  written AS (
    INSERT INTO person (key, linked_to, linked_at, seen_at, stale_at, revision, record)
    SELECT row ->> 0, row ->> 1, (row ->> 2)::float8, (row ->> 3)::float8, (row ->> 4)::float8, (row ->> 5)::bigint,
           row ->> 6
    FROM jsonb_array_elements(%(rows)s::jsonb) AS row
    ON CONFLICT DO NOTHING RETURNING 1
  ),
  counted AS (
    INSERT INTO memory_size (kind, slot, count) SELECT 'person', %(slot)s, count(*) FROM written
    ON CONFLICT (kind, slot) DO UPDATE SET count = memory_size.count + excluded.count
  )
SELECT count(*) FROM written;

-- drop_people --
-- What was moved to another outbox of people.
WITH
  gone AS (
    DELETE FROM person USING jsonb_array_elements(%(rows)s::jsonb) AS row WHERE key = row ->> 0 RETURNING 1
  )
INSERT INTO memory_size (kind, slot, count) SELECT 'person', %(slot)s, -count(*) FROM gone
ON CONFLICT (kind, slot) DO UPDATE SET count = memory_size.count + excluded.count;

-- transfer_owners_out --
-- Whose messages there are, to be moved to another outbox: even numbers are ids of rows, odd ones of deliveries.
SELECT number, message_id, nullif(rtrim(substr(owner, 1, 16)), ''), nullif(rtrim(substr(owner, 17, 16)), ''), at,
       nullif(substr(owner, 34), ''), substr(owner, 33, 1)::integer
FROM (
  SELECT * FROM (
    SELECT id * 2 AS number, message_id, owner, at FROM delivery_owner
    WHERE id > %(after_0)s::bigint >> 1 ORDER BY id LIMIT %(limit)s
  ) AS of_rows
  UNION ALL
  SELECT * FROM (
    SELECT delivery_id * 2 + 1, message_id, owner, at FROM message_owner
    WHERE delivery_id > (%(after_0)s::bigint - 1) >> 1 ORDER BY delivery_id LIMIT %(limit)s
  ) AS of_deliveries
) AS both_kinds
ORDER BY number LIMIT %(limit)s;

-- transfer_owners_in --
-- Whose messages of another outbox are; the same twice does no harm.
WITH
  written AS (
    INSERT INTO delivery_owner (message_id, owner, at)
    SELECT row ->> 1, rpad(coalesce(row ->> 2, ''), 16) || rpad(coalesce(row ->> 3, ''), 16) || (row ->> 6)
                      || coalesce(row ->> 5, ''), (row ->> 4)::float8
    FROM jsonb_array_elements(%(rows)s::jsonb) AS row
    RETURNING 1
  )
SELECT count(*) FROM written;

-- drop_owners --
-- Whose messages were moved to another outbox; deliveries that tell it follow them.
DELETE FROM delivery_owner USING jsonb_array_elements(%(rows)s::jsonb) AS row
WHERE (row ->> 0)::bigint & 1 = 0 AND id = (row ->> 0)::bigint >> 1;

-- pending_of_orders --
-- What is pending of orders, each for a preset, by the place of what was asked. It changes no more until it is withdrawn.
SELECT (asked ->> 2)::integer, queue.id, delivery.is_trusted, amount, currency
FROM jsonb_array_elements(%(rows)s::jsonb) AS asked
JOIN dedup_key ON digest = asked ->> 0 JOIN queue ON queue.id = delivery_id AND queue.preset = asked ->> 1
JOIN delivery ON delivery.id = queue.id
WHERE state = 'pending' ORDER BY queue.id FOR UPDATE OF queue;

-- drop --
-- Erase deliveries that are pending, or claimed by a claim, and record each by its exit; return their places. All are
-- counted as withdrawn: they were counted as enqueued.
WITH
  meant AS MATERIALIZED (
    SELECT queue.id, asked ->> 1 AS exit, asked ->> 2 AS reason, asked ->> 3 AS nth
    FROM jsonb_array_elements(%(rows)s::jsonb) AS asked JOIN queue ON queue.id = (asked ->> 0)::bigint
    WHERE CASE WHEN asked ->> 4 IS NULL THEN state = 'pending' ELSE state = 'claimed' AND claim = asked ->> 4 END
    ORDER BY queue.id FOR UPDATE OF queue
  ),
  left_line AS (
    DELETE FROM queue USING meant WHERE queue.id = meant.id
    RETURNING queue.id, queue.state, enqueued_at, meant.exit, meant.reason, meant.nth
  ),
  gone AS (
    DELETE FROM delivery USING left_line WHERE delivery.id = left_line.id
    RETURNING delivery.ad_account_id, message_id, preset, event_name, order_id, amount, currency, source, name,
              channel, is_trusted, warnings, owner, enqueued_at, length(payload) AS size, exit, reason, nth,
              left_line.state
  ),
  owned AS (
    INSERT INTO delivery_owner (message_id, owner, at)
    SELECT message_id, owner, %(now)s::float8 FROM gone WHERE owner IS NOT NULL
  ),
  moved AS (SELECT name, source, enqueued_at AS at, 'waiting' AS state, -1 AS sign FROM gone),
  named AS (/* named */),
  ordered AS (
    SELECT stands.at, ad_account_id, preset, source, channel, currency, stands.became, sign, amount, NULL::bigint AS id
    FROM gone,
         LATERAL (VALUES (enqueued_at, 'waiting', -1), (%(now)s::float8, 'withdrawn', 1)) AS stands (at, became, sign)
    WHERE event_name = 'checkout'
  ),
  earned AS (/* sums */),
  reopened AS (
    DELETE FROM counter_sum USING (VALUES (3600), (21600), (86400)) AS span (length)
    WHERE span_s = length AND start_at > %(minute)s::bigint - length
  ),
  counted AS (
    INSERT INTO backlog (ad_account_id, state, slot, count, bytes)
    SELECT ad_account_id, state, %(slot)s, -count(*), -sum(size) FROM gone GROUP BY ad_account_id, state ORDER BY 1, 2
    ON CONFLICT (ad_account_id, state, slot)
    DO UPDATE SET count = backlog.count + excluded.count, bytes = backlog.bytes + excluded.bytes
  ),
  noted AS (
    INSERT INTO dropped_event (message_id, ad_account_id, preset, exit, reason, warnings, event_name, order_id,
                               amount, currency, source, name, channel, is_trusted, was_enqueued, at)
    SELECT message_id, ad_account_id, preset, exit, reason,
           -- what came from memory is no warning
           (SELECT coalesce(jsonb_agg(told ORDER BY place), '[]')::text
            FROM jsonb_array_elements(warnings::jsonb) WITH ORDINALITY AS each (told, place)
            WHERE jsonb_typeof(told) = 'string'),
           event_name, order_id, amount, currency, source, name, channel, is_trusted, true, %(now)s::float8
    FROM gone
  ),
  tallied AS (
    INSERT INTO counter_minute (start_at, name, preset, label, ad_account_id, source, slot, count)
    SELECT %(minute)s::bigint, 'withdrawn', preset, '', ad_account_id, source, %(slot)s, count(*)
    FROM gone GROUP BY preset, ad_account_id, source
    ON CONFLICT (start_at, name, preset, label, ad_account_id, source, slot)
    DO UPDATE SET count = counter_minute.count + excluded.count
  )
SELECT nth::integer FROM gone;

-- forget_quarantined --
-- Erase the sealed events of ids.
DELETE FROM quarantined WHERE keys::jsonb ?| %(keys)s::text[];

