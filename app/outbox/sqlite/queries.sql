-- Every statement of the SQLite engine. A name, one sentence, the statement.
--
-- A set of rows travels as one JSON array (`:rows`), so that a thousand rows are one step of SQLite:
-- Python's sqlite3 gives up its lock at every step, and gets it back only after the busy event loop has had its turn.

-- version --
-- The identity and the version of the schema, how much there is of it, and the file; of one moment.
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema),
       (SELECT file FROM pragma_database_list WHERE name = 'main')
FROM pragma_application_id, pragma_user_version;

-- before_enqueue --
-- Which of these keys are remembered, the highest id ever given to a delivery, and what waits of each ad account.
SELECT json_array(
  (SELECT json_group_array(json_array(dedup_key.digest, delivery_id, expires_at, place, known, is_trusted))
   FROM json_each(:rows) AS asked JOIN dedup_key ON dedup_key.digest = asked.value),
  (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'delivery'),
  (SELECT json_group_array(json_array(ad_account_id, count, bytes)) FROM backlog WHERE state IN ('pending', 'claimed'))
);

-- seen --
-- Who holds which of these keys, since when (worked out where the delivery is gone), until when, and of which order.
SELECT dedup_key.digest, delivery_id,
       coalesce(enqueued_at, expires_at - CASE WHEN known LIKE '[%' THEN :ledger_s ELSE :window_s END),
       expires_at, place, known, dedup_key.is_trusted
FROM json_each(:digests) AS asked JOIN dedup_key ON dedup_key.digest = asked.value
  LEFT JOIN delivery ON delivery.id = delivery_id
WHERE expires_at > :now;

-- merge --
-- Merge another event into a delivery that has not left; it leaves at once, unless its preset holds it.
UPDATE delivery SET event_id = :event_id, event_time = :event_time, amount = :amount, currency = :currency,
       order_id = :order_id, checkout_id = :checkout_id, buyer = :stored_buyer, warnings = :stored_warnings,
       side = :stored_side, is_trusted = :is_trusted, channel = :channel, merged = merged + 1, payload_bytes = length(:payload),
       follows = CASE WHEN :waits_on THEN follows END,
       hold_until = CASE WHEN :waits_on THEN hold_until WHEN :hold_s > 0 THEN :held_from + :hold_s END,
       due_at = CASE WHEN :waits_on THEN due_at ELSE :now + :hold_s END
WHERE id = :delivery_id;

-- replace_payload --
-- Write what is sent of a delivery anew.
UPDATE payload SET body = :payload WHERE delivery_id = :delivery_id;

-- tell --
-- Write the warnings of a delivery anew.
UPDATE delivery SET warnings = :warnings WHERE id = :delivery_id;

-- followers --
-- Deliveries that waited for the result of others, and the states of these.
SELECT delivery.id, ahead.state
FROM delivery LEFT JOIN delivery AS ahead ON ahead.id = delivery.follows
WHERE delivery.ad_account_id = :ad_account_id AND delivery.follows <> 0 AND delivery.hold_until <= :by
ORDER BY delivery.hold_until LIMIT :limit;

-- confirm --
-- Erase the sealed events of deliveries that wait to be withheld: their other side came.
DELETE FROM quarantined WHERE (source, message_id) IN (
  SELECT source, message_id FROM delivery WHERE id IN (SELECT value FROM json_each(:rows))
) AND reason = :reason;

-- waiting --
-- How many deliveries are pending, and claimed, for each ad account, and of how many bytes.
SELECT ad_account_id, count, bytes FROM backlog WHERE state IN ('pending', 'claimed');

-- learn_keys --
-- Remember keys of deliveries that are stored already, whose order or checkout a repetition has told.
INSERT INTO dedup_key (digest, delivery_id, expires_at, place, known, is_trusted, learned)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, 1 FROM json_each(:rows) WHERE true
ON CONFLICT (digest, place) DO UPDATE SET
  delivery_id = excluded.delivery_id, expires_at = excluded.expires_at, known = excluded.known,
  is_trusted = excluded.is_trusted, learned = 1;

-- store --
-- Store all that a call enqueues (see store.sql), and return the id of its first delivery.
INSERT INTO storing (unseen, max_bytes, loads, moves, first_id, kinds, deliveries, payloads, spans, version, keys,
                     dropped_events, counters, span_s, owners, now, named)
VALUES (:unseen, :max_bytes, :loads, :moves,
        1 + (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'delivery'),
        :kinds, :deliveries, :payloads, :spans, :version, :keys, :dropped_events, :counters, :span_s, :owners, :now, :named)
RETURNING first_id;

-- add_counters --
-- Add counts to their minute or hour.
INSERT INTO counter (span_s, start_at, name, preset, label, ad_account_id, source, count)
SELECT :span_s, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM json_each(:rows) WHERE true
ON CONFLICT DO UPDATE SET count = count + excluded.count;

-- hold --
-- Take out of the queue, of what is due first, what is pending for presets that are switched off.
UPDATE delivery SET held = 1, reason = :reason
WHERE id IN (
  SELECT id FROM (
    SELECT * FROM (
      SELECT id, preset, state FROM delivery
      WHERE ad_account_id = :ad_account_id AND retried = 0 AND held = 0 AND hold_until IS NULL AND due_at <= :now
      /* apart */
      ORDER BY due_at LIMIT :limit
    )
    UNION ALL
    SELECT * FROM (
      SELECT id, preset, state FROM delivery
      WHERE ad_account_id = :ad_account_id AND retried = 1 AND held = 0 AND hold_until IS NULL AND due_at <= :now
      /* apart */
      ORDER BY due_at LIMIT :limit
    )
  )
  WHERE state = 'pending' AND preset IN (SELECT value FROM json_each(:without_presets))
);

-- tell_holds --
-- Tell people anew about when holds end: a clock was set.
UPDATE delivery SET due_at = hold_until + :ahead_s WHERE ad_account_id = :ad_account_id AND hold_until IS NOT NULL
/* apart */;

-- claim --
-- Take what is due, fresh deliveries and retries by turns, unless the batch is neither full nor old enough.
-- While a batch fills up this is asked again and again: so nothing is read unless all that waits would fill a batch, or
-- something has waited long enough, and turns are worked out only where not all that is due fits. A claim counts as an
-- attempt: so none of the fresh ones is claimed.
WITH
  reading AS MATERIALIZED (
    SELECT CASE
      WHEN (SELECT sum(count) >= :limit OR sum(bytes) >= :max_bytes FROM backlog
            WHERE ad_account_id = :ad_account_id AND state IN ('pending', 'claimed'))
        OR EXISTS (SELECT 1 FROM delivery WHERE ad_account_id = :ad_account_id AND retried = 0 AND held = 0
                   AND hold_until IS NULL AND due_at <= :now - :max_wait_s
                   /* apart */)
        OR EXISTS (SELECT 1 FROM delivery WHERE ad_account_id = :ad_account_id AND retried = 1 AND held = 0
                   AND hold_until IS NULL AND due_at <= :now - :max_wait_s
                   /* apart */)
      THEN :limit ELSE 0 END AS rows
  ),
  due AS MATERIALIZED (
    SELECT id, due_at, payload_bytes, retried FROM (
      SELECT id, due_at, payload_bytes, retried, preset FROM delivery
      WHERE ad_account_id = :ad_account_id AND retried = 0 AND held = 0 AND hold_until IS NULL AND due_at <= :now
        /* apart */
      ORDER BY due_at LIMIT (SELECT rows FROM reading)
    )
    WHERE preset NOT IN (SELECT value FROM json_each(:without_presets))
    UNION ALL
    SELECT id, due_at, payload_bytes, retried FROM (
      SELECT id, due_at, payload_bytes, retried, state, preset FROM delivery
      WHERE ad_account_id = :ad_account_id AND retried = 1 AND held = 0 AND hold_until IS NULL AND due_at <= :now
        AND (:take_over OR state = 'pending')
        /* apart */
      ORDER BY due_at LIMIT (SELECT rows FROM reading)
    )
    WHERE state = 'claimed' OR preset NOT IN (SELECT value FROM json_each(:without_presets))
  ),
  whole AS MATERIALIZED (
    SELECT count(*) <= :limit AND sum(payload_bytes) <= :max_bytes AS fits,
           count(*) >= :limit OR sum(payload_bytes) >= :max_bytes OR min(due_at) <= :now - :max_wait_s AS may_go
    FROM due
  ),
  turn AS (
    SELECT *, row_number() OVER (PARTITION BY retried ORDER BY due_at, id) AS turn
    FROM due WHERE NOT (SELECT fits FROM whole)
  ),
  ordered AS (
    SELECT id, row_number() OVER turns AS place, sum(payload_bytes) OVER turns AS bytes
    FROM turn WINDOW turns AS (ORDER BY turn, retried ROWS UNBOUNDED PRECEDING)
  )
UPDATE delivery
SET state = 'claimed', claim = CASE state WHEN 'claimed' THEN :claim_after_loss ELSE :claim END,
    attempts = attempts + 1, due_at = :now + :lease_s
WHERE (SELECT may_go FROM whole) AND id IN (
  SELECT id FROM due WHERE (SELECT fits FROM whole)
  UNION ALL
  SELECT id FROM ordered WHERE place = 1 OR (place <= :limit AND bytes <= :max_bytes)
);

-- count_claimed --
-- Count what a claim took that was not claimed before.
INSERT INTO move VALUES (:ad_account_id, 'pending', 'claimed', :count, :bytes);

-- claimed --
-- What a claim holds, how much of that was not claimed before, which delivery has no payload, of which presets something is held, and whether a wait for others is over, as one row.
-- It is found by the end of its lease. Payloads come as one blob, in the order of their deliveries: in JSON they would be
-- escaped here, and read again there.
WITH RECURSIVE kept (preset) AS (
  SELECT (SELECT min(preset) FROM delivery WHERE ad_account_id = :ad_account_id AND held = 1)
  UNION ALL
  SELECT (SELECT min(preset) FROM delivery
          WHERE ad_account_id = :ad_account_id AND held = 1 AND delivery.preset > kept.preset)
  FROM kept WHERE kept.preset IS NOT NULL
)
SELECT taken, bodies, version, count, bytes, without_payload,
       (SELECT json_group_array(preset) FILTER (WHERE preset IS NOT NULL) FROM kept),
       EXISTS (SELECT 1 FROM delivery WHERE ad_account_id = :ad_account_id AND follows <> 0 AND hold_until <= :by)
FROM (
  SELECT json_array(json_group_array(CAST(id AS TEXT)), json_group_array(preset), json_group_array(message_id),
                    json_group_array(event_name), json_group_array(event_id), json_group_array(action_source),
                    json_group_array(attempts), json_group_array(printf('%!.17g', enqueued_at)),
                    json_group_array(length(body)), json_group_array(traceparent), json_group_array(claim <> :claim)) AS taken,
         CAST(group_concat(CAST(body AS TEXT), '') AS BLOB) AS bodies, max(version) AS version,
         count(*) FILTER (WHERE claim = :claim) AS count, sum(payload_bytes) FILTER (WHERE claim = :claim) AS bytes,
         min(id) FILTER (WHERE body IS NULL) AS without_payload
  FROM delivery LEFT JOIN payload ON delivery_id = id
  WHERE ad_account_id = :ad_account_id AND retried = 1 AND held = 0 AND hold_until IS NULL AND due_at = :now + :lease_s
    AND claim IN (:claim, :claim_after_loss)
);

-- renew --
-- Lengthen the leases that are still ours.
UPDATE delivery SET due_at = :until
FROM json_each(:rows) AS ours
WHERE delivery.id = ours.value ->> 0 AND delivery.claim = ours.value ->> 1;

-- reschedule --
-- Let nothing wait, and no lease last, beyond these times.
UPDATE delivery SET due_at = CASE state WHEN 'claimed' THEN :claimed_by ELSE :pending_by END
WHERE id IN (
  SELECT * FROM (
    SELECT id FROM delivery
    WHERE ad_account_id = :ad_account_id AND retried = 0 AND held = 0 AND hold_until IS NULL
      AND due_at > min(:pending_by, :claimed_by)
      AND due_at > CASE state WHEN 'claimed' THEN :claimed_by ELSE :pending_by END
    LIMIT :limit
  )
  UNION ALL
  SELECT * FROM (
    SELECT id FROM delivery
    WHERE ad_account_id = :ad_account_id AND retried = 1 AND held = 0 AND hold_until IS NULL
      AND due_at > min(:pending_by, :claimed_by)
      AND due_at > CASE state WHEN 'claimed' THEN :claimed_by ELSE :pending_by END
    LIMIT :limit
  )
);

-- held_by --
-- Which of some deliveries a claim holds.
SELECT delivery.id FROM json_each(:rows) AS asked CROSS JOIN delivery ON delivery.id = asked.value WHERE claim = :claim;

-- deliver --
-- Settle deliveries that Pinterest took, as far as their claim still holds, and erase what could undo a merge.
UPDATE delivery SET claim = NULL, state = 'delivered', due_at = NULL, settled_at = :now, reason = '',
       side = CASE WHEN side LIKE '%"own":%' THEN json_remove(side, '$[#-1].own') ELSE side END
WHERE id IN (SELECT value FROM json_each(:rows)) AND claim = :claim;

-- still_ours --
-- Which of these claims still hold: their places.
SELECT json_group_array(ours.key)
FROM json_each(:rows) AS ours
JOIN delivery ON delivery.id = ours.value ->> 0 AND delivery.claim = ours.value ->> 1;

-- settle --
-- Give deliveries their next state, each its own.
UPDATE delivery
SET claim = NULL, state = settled.value ->> 1, due_at = settled.value ->> 2, settled_at = settled.value ->> 3,
    attempts = attempts - (settled.value ->> 4), reason = settled.value ->> 5
FROM json_each(:rows) AS settled
WHERE delivery.id = settled.value ->> 0;

-- sums --
-- How many of some deliveries a claim (or none: NULL) holds, by name, source and day, with their bytes; and how many in all.
SELECT json_group_array(json_array(name, source, day, count, bytes)), sum(count) FROM (
  SELECT name, source, CAST(enqueued_at / 86400 AS INTEGER) AS day, count(*) AS count, sum(payload_bytes) AS bytes
  FROM json_each(:rows) AS settled CROSS JOIN delivery ON delivery.id = settled.value WHERE claim IS :claim GROUP BY 1, 2, 3
);

-- count_delivered --
-- Count by state what was claimed of an ad account, and is settled as `deliver` does.
INSERT INTO move SELECT :ad_account_id, 'claimed', 'delivered', sum(value ->> 3), sum(value ->> 4) FROM json_each(:sums);

-- count_settled --
-- Count by name what was settled, and waits no more.
INSERT INTO name_count (name, source, day, state, count)
SELECT value ->> 0, value ->> 1, value ->> 2, moved.column1, moved.column2 * (value ->> 3)
FROM json_each(:sums) CROSS JOIN (VALUES (:state, 1), ('waiting', -1)) AS moved WHERE true
ON CONFLICT DO UPDATE SET count = count + excluded.count;

-- add_attempts --
-- Put attempts behind the history of their deliveries.
-- What is alike in several is read once: LIMIT keeps SQLite from looking into its JSON for each delivery.
INSERT INTO attempt (delivery_id, place, number, at, exit, status, message)
SELECT tried.value, 1 + coalesce((SELECT max(place) FROM attempt WHERE delivery_id = tried.value), 0),
       number, :at, exit, status, message
FROM (
  SELECT value ->> 0 AS number, value ->> 1 AS exit, value ->> 2 AS status, value ->> 3 AS message, value -> 4 AS ids
  FROM json_each(:kinds) LIMIT -1
) AS kind CROSS JOIN json_each(kind.ids) AS tried;

-- erase_payloads --
-- Erase the payloads of deliveries.
DELETE FROM payload WHERE delivery_id IN (SELECT value FROM json_each(:ids));

-- strip_payloads --
-- Keep payloads for a while, without what stands in them unhashed.
UPDATE payload
SET erase_at = :erase_at,
    body = CAST(json_remove(CAST(body AS TEXT), /* unhashed */) AS BLOB)
WHERE delivery_id IN (SELECT value FROM json_each(:rows));

-- dead --
-- The ids of dead deliveries, newest first.
/* shelves */
SELECT id FROM delivery WHERE state = 'dead' AND id < :before /* conditions */ ORDER BY id DESC LIMIT :limit;

-- redrive --
-- Make dead deliveries pending again.
UPDATE delivery SET state = 'pending', attempts = 0, reason = '', settled_at = NULL, enqueued_at = :now, due_at = :now
WHERE id IN (SELECT value FROM json_each(:ids));

-- any_dead --
-- Whether anything is dead.
SELECT EXISTS (SELECT 1 FROM delivery WHERE id > 0 AND state = 'dead');

-- overtaken --
-- What is dead of events and orders that were just sent, or has just died: the ids.
WITH late (id) AS (
  SELECT dead.id FROM json_each(:sent) AS done JOIN delivery AS sent ON sent.id = done.value
    JOIN delivery AS dead ON dead.state = 'dead' AND dead.event_id = sent.event_id
  UNION
  SELECT dead.id FROM json_each(:sent) AS done JOIN delivery AS sent ON sent.id = done.value
    JOIN delivery AS dead ON dead.state = 'dead' AND dead.order_id IS NOT NULL AND dead.order_id = sent.order_id
  UNION SELECT value FROM json_each(:died)
)
SELECT id FROM late JOIN delivery USING (id) WHERE state = 'dead' ORDER BY id DESC;

-- dismiss --
-- Dismiss dead deliveries, each with its new reason.
UPDATE delivery SET state = 'dismissed', reason = given.value ->> 1,
       side = CASE WHEN side LIKE '%"own":%' THEN json_remove(side, '$[#-1].own') ELSE side END
FROM json_each(:rows) AS given
WHERE delivery.id = given.value ->> 0 AND state = 'dead';

-- dead_causes --
-- Why deliveries are dead, the most frequent causes first, without what was added when they were not redriven.
SELECT CASE instr(reason, '; not redriven:') WHEN 0 THEN reason
         ELSE substr(reason, 1, instr(reason, '; not redriven:') - 1) END AS cause,
       ad_account_id, preset, count(*), max(settled_at)
FROM (SELECT * FROM delivery WHERE id > 0 AND state = 'dead' ORDER BY id DESC LIMIT 100000)
GROUP BY cause, ad_account_id, preset ORDER BY count(*) DESC, cause, ad_account_id, preset LIMIT :limit;

-- dead_losses --
-- What dead deliveries are worth, by cause, ad account and currency, those of the most frequent causes first.
SELECT CASE instr(reason, '; not redriven:') WHEN 0 THEN reason
         ELSE substr(reason, 1, instr(reason, '; not redriven:') - 1) END AS cause,
       ad_account_id, CASE event_name WHEN 'checkout' THEN coalesce(currency, '') ELSE '' END AS money, count(*),
       min(settled_at), max(settled_at), sum(CASE event_name WHEN 'checkout' THEN CAST(amount AS REAL) END)
FROM (SELECT * FROM delivery WHERE id > 0 AND state = 'dead' ORDER BY id DESC LIMIT 100000)
GROUP BY cause, ad_account_id, money ORDER BY count(*) DESC, cause, ad_account_id, money;

-- undelivered --
-- How many deliveries that were received in a span are not delivered, by step, ad account and state.
SELECT CAST(enqueued_at / :step_s AS INTEGER) * :step_s AS step, ad_account_id, iif(:by_source, source, '') AS whose, 'waiting', count(*)
FROM (SELECT DISTINCT ad_account_id AS known FROM backlog) CROSS JOIN delivery
  ON ad_account_id = known AND settled_at IS NULL AND enqueued_at >= :since AND enqueued_at < :until
GROUP BY step, ad_account_id, whose
UNION ALL
SELECT CAST(enqueued_at / :step_s AS INTEGER) * :step_s AS step, ad_account_id, iif(:by_source, source, '') AS whose, state, count(*)
FROM delivery WHERE state IN ('dead', 'dismissed') AND settled_at >= :since AND enqueued_at >= :since
  AND enqueued_at < :until
GROUP BY step, ad_account_id, whose, state;

-- search --
-- Deliveries, newest first.
/* shelves */
SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time, state, reason,
       attempts, enqueued_at, due_at, settled_at, warnings, source, amount, currency, checkout_id, name, channel,
       hold_until IS NOT NULL, is_trusted
FROM delivery
WHERE id < :before AND id >= :floor /* conditions */ ORDER BY id DESC LIMIT :limit;

-- orders --
-- Deliveries of checkouts, the oldest first.
SELECT id, order_id, state, reason, amount, currency, preset, source, ad_account_id, channel, event_time
FROM delivery WHERE id > :after AND event_name = 'checkout' AND enqueued_at >= :since ORDER BY id LIMIT :limit;

-- delivery_range --
-- The lowest and the highest delivery.
SELECT (SELECT min(id) FROM delivery), (SELECT max(id) FROM delivery);

-- first_delivery_since --
-- The first delivery that was received since a moment: in ranges of ids that are filled and have one as late, or behind them.
SELECT coalesce(
  (SELECT delivery.id FROM id_filter AS filled
     CROSS JOIN delivery ON delivery.id >= id_range << 15 AND delivery.id < id_range + 1 << 15
   WHERE bucket = 0 AND latest_at >= :since AND enqueued_at >= :since ORDER BY id_range, delivery.id LIMIT 1),
  (SELECT id FROM delivery
   WHERE id >= coalesce((SELECT max(id_range) + 1 FROM id_filter WHERE bucket = 0) << 15, 0) AND enqueued_at >= :since
   ORDER BY id LIMIT 1)
);

-- history --
-- The attempts of one delivery, in order.
SELECT number, at, exit, status, message FROM (/* tried */) WHERE delivery_id = :delivery_id ORDER BY place;

-- payload --
-- The payload of one delivery, while it is kept.
SELECT body FROM payload WHERE delivery_id = :delivery_id;

-- search_dropped --
-- Dropped events, newest first.
WITH RECURSIVE shelf (n) AS (
  SELECT min(id) >> 13 FROM dropped_event
  UNION ALL SELECT n + 1 FROM shelf WHERE n < (SELECT max(id) >> 13 FROM dropped_event)
)
SELECT id, at, message_id, ad_account_id, preset, exit, reason, warnings, event_name, order_id, amount, currency, source,
       name, channel, is_trusted, was_enqueued
FROM dropped_event
WHERE id < :before AND id >= :floor /* conditions */ ORDER BY id DESC LIMIT :limit;

-- dropped_event_range --
-- The first dropped event since a moment, and the highest. Clocks differ and step back, so the earliest need not be the first.
SELECT CASE
    WHEN (SELECT at FROM dropped_event WHERE id = (SELECT min(id) FROM dropped_event)) >= :since THEN (SELECT min(id) FROM dropped_event)
    ELSE (SELECT min(id) FROM dropped_event INDEXED BY dropped_event_at WHERE at >= :since)
  END,
  (SELECT max(id) FROM dropped_event);

-- backlog --
-- How many deliveries of an ad account stand where, and of how many bytes.
SELECT state, count, bytes FROM backlog WHERE ad_account_id = :ad_account_id AND state NOT IN ('delivered', 'dismissed');

-- oldest_unsettled --
-- When the oldest delivery that still waits was enqueued.
SELECT min(enqueued_at) FROM delivery WHERE ad_account_id = :ad_account_id AND settled_at IS NULL;

-- next_due --
-- The first moment after `:after` at which something is due for an ad account.
SELECT min((SELECT min(due_at) FROM delivery
            WHERE ad_account_id = :ad_account_id AND retried = kind.column1 AND held = 0 AND hold_until IS NULL
              AND due_at > :after))
FROM (VALUES (0), (1)) AS kind;

-- counters --
-- Sums of counts by step, all in one where the step is 0: as `sum_parameters` says of which sums.
SELECT CASE :step_s WHEN 0 THEN :since ELSE start_at / :step_s * :step_s END AS step, name, preset, label, ad_account_id,
       source, sum(count)
FROM (/* counted */)
WHERE :names IS NULL OR name IN (SELECT value FROM json_each(:names))
GROUP BY step, name, preset, label, ad_account_id, source
ORDER BY step, name, preset, label, ad_account_id, source;

-- first_count --
-- When the first minute or hour begins since a moment in which anything was counted.
SELECT min(first) FROM (
  SELECT min(start_at) AS first FROM counter WHERE span_s = 60 AND start_at >= :since
  UNION ALL SELECT min(start_at) FROM counter WHERE span_s = 3600 AND start_at >= :since
);

-- reopen_steps --
-- Drop the sums of steps that were not over at a moment.
DELETE FROM counter_sum WHERE (span_s, start_at) IN (
  SELECT span_s, start_at FROM (VALUES (3600), (21600), (86400)) AS span
  CROSS JOIN counter_sum ON span_s = span.column1 AND start_at > :moment - span.column1
);

-- revenue --
-- What the orders of some days are worth.
SELECT day, ad_account_id, preset, source, channel, currency, became, orders, without_amount, millionths, largest, largest_id
FROM revenue WHERE day >= :first_day AND day <= :last_day AND orders > 0
ORDER BY day, ad_account_id, preset, source, channel, currency, became;

-- retain_revenue --
-- Forget days with the ledger.
DELETE FROM revenue WHERE (day, ad_account_id, preset, source, channel, currency, became) IN (
  SELECT day, ad_account_id, preset, source, channel, currency, became FROM revenue
  WHERE day < CAST(:days_start / 86400 AS INTEGER) LIMIT :limit OFFSET :skip
);

-- forget_waiting_orders --
-- Count no longer, of some deliveries that are to be erased, the orders that wait.
INSERT INTO earned
SELECT enqueued_at, ad_account_id, preset, source, channel, currency, 'waiting', -1, amount, id FROM delivery
WHERE id IN (SELECT value FROM json_each(:rows)) AND event_name = 'checkout' AND state IN ('pending', 'claimed');

-- forget_properties --
-- Forget the rarest properties of each name on a day, as many as are too many.
DELETE FROM inventory WHERE (span_s, counted, start_at, source, type, name, label) IN (
  SELECT 86400, 'property', start_at, source, type, name, label FROM (
    SELECT *, row_number() OVER (PARTITION BY source, type, name ORDER BY count DESC, label) AS place FROM inventory
    WHERE span_s = 86400 AND counted = 'property' AND start_at = :day
  ) WHERE place > :max_properties
);

-- name_counts --
-- Where the deliveries of some names stand that came on some days.
SELECT name_count.name, name_count.source, day, state, count
FROM json_each(:rows) AS asked
CROSS JOIN name_count ON name_count.name = asked.value ->> 0 AND name_count.source = asked.value ->> 1
WHERE day >= :first_day AND day <= :last_day AND count > 0;

-- retain_name_counts --
-- Forget of which names nothing of a day is left.
DELETE FROM name_count WHERE (name, source, day, state) IN (
  SELECT name, source, day, state FROM name_count WHERE count = 0 AND day < CAST(:days_start / 86400 AS INTEGER) LIMIT :limit OFFSET :skip
);

-- list_shared --
-- All shared values whose key starts with one of these. As bytes, since a damaged value may not be UTF-8.
SELECT shared.key, CAST(shared.value AS BLOB), revision FROM shared, json_each(:prefixes) AS prefix
WHERE substr(shared.key, 1, length(prefix.value)) = prefix.value ORDER BY shared.key;

-- retain_imports --
-- Forget how far imports came that nobody went on with for as long as the ledger is kept, and rows of what is forgotten.
-- It was taken away where it is null. Certificates of erasures are forgotten with the audit log, requests of access
-- and incidents with the ledger.
DELETE FROM shared WHERE key IN (
  SELECT key FROM shared
  WHERE (key >= 'import' AND key < 'imporu' OR key >= 'erasure/' AND key < 'erasure0' OR key >= 'access/' AND key < 'access0'
      OR key >= 'incident/' AND key < 'incident0')
    AND CASE
    WHEN value = 'null' THEN 1
    WHEN key >= 'erasure/' AND key < 'import' THEN value ->> 'at' <= :audit_start
    WHEN key LIKE 'import-digests/%' THEN NOT EXISTS (
      SELECT 1 FROM shared AS head
      WHERE head.key = 'import-rows' || substr(shared.key, 15, instr(substr(shared.key, 16), '/')))
    WHEN key >= 'incident/' THEN value ->> 'until' <= :ledger_start
    ELSE value ->> 'at' <= :ledger_start
  END LIMIT :limit OFFSET :skip
);

-- retain_payloads --
-- Erase payloads that were kept long enough.
DELETE FROM payload
WHERE delivery_id IN (SELECT delivery_id FROM payload WHERE erase_at <= :now ORDER BY erase_at LIMIT :limit OFFSET :skip);

-- retain_delivered --
-- Forget what was delivered, with all that belongs to it.
DELETE FROM delivery
WHERE id IN (
  SELECT id FROM delivery WHERE state = 'delivered' AND settled_at <= :delivered_start ORDER BY settled_at LIMIT :limit OFFSET :skip
);

-- retain_dead --
-- Forget what is dead or dismissed likewise.
DELETE FROM delivery
WHERE id IN (
  SELECT id FROM delivery WHERE state IN ('dead', 'dismissed') AND settled_at <= :ledger_start
  ORDER BY settled_at LIMIT :limit OFFSET :skip
);

-- next_id_range --
-- The first range of ids behind those with a filter that holds a delivery, if it no longer grows; else NULL.
SELECT CASE WHEN min(id) >> 15 < (SELECT seq >> 15 FROM sqlite_sequence WHERE name = 'delivery') THEN min(id) >> 15 END
FROM delivery WHERE id >= coalesce((SELECT max(id_range) + 1 FROM id_filter WHERE bucket = 0) << 15, 0);

-- ids_on_shelves --
-- All ids by which deliveries on some shelves are looked for.
SELECT json_group_array(id) FROM (
  SELECT message_id AS id FROM delivery INDEXED BY delivery_message WHERE shelf >= :first AND shelf < :end
  UNION ALL
  SELECT event_id FROM delivery INDEXED BY delivery_event
  WHERE shelf >= :first AND shelf < :end AND event_id <> message_id
  UNION ALL
  SELECT order_id FROM delivery INDEXED BY delivery_order
  WHERE shelf >= :first AND shelf < :end AND order_id IS NOT NULL
);

-- fill_id_range --
-- Keep the filter of a range of ids: how many fingerprints there are in each bucket, and all of them one behind the other.
INSERT INTO id_filter (bucket, id_range, fingerprints)
SELECT key, :id_range, coalesce(substr(:fingerprints, 1 + 3 * (sum(value) OVER (ORDER BY key) - value), 3 * value), x'')
FROM json_each(:sizes);

-- forget_id_range --
-- Drop the filter of a range that holds no delivery any more. The last one stays: it tells how far filters go.
DELETE FROM id_filter WHERE (bucket, id_range) IN (
  WITH RECURSIVE place (bucket) AS (SELECT 0 UNION ALL SELECT bucket + 1 FROM place WHERE bucket < 511)
  SELECT bucket, id_range FROM (
    SELECT id_range FROM id_filter AS known
    WHERE bucket = 0 AND id_range < (SELECT max(id_range) FROM id_filter WHERE bucket = 0)
      AND NOT EXISTS (SELECT 1 FROM delivery WHERE id >= known.id_range << 15 AND id < known.id_range + 1 << 15)
    LIMIT 1
  ) CROSS JOIN place
);

-- retain_dropped_events --
-- Forget dropped events.
DELETE FROM dropped_event WHERE id IN (SELECT id FROM dropped_event WHERE at <= :ledger_start ORDER BY at LIMIT :limit OFFSET :skip);

-- retain_hours --
-- Forget the counts of old hours.
DELETE FROM counter
WHERE (span_s, start_at, name, preset, label, ad_account_id, source) IN (
  SELECT span_s, start_at, name, preset, label, ad_account_id, source FROM counter
  WHERE span_s = 3600 AND start_at <= :ledger_start - 3600 ORDER BY start_at LIMIT :limit OFFSET :skip
);

-- take_minutes --
-- Take the counts of old minutes out, to be added to their hours.
DELETE FROM counter
WHERE (span_s, start_at, name, preset, label, ad_account_id, source) IN (
  SELECT span_s, start_at, name, preset, label, ad_account_id, source FROM counter
  WHERE span_s = 60 AND start_at <= :minutes_start ORDER BY start_at LIMIT :limit OFFSET :skip
)
RETURNING start_at, name, preset, label, ad_account_id, source, count;

-- probe --
-- Change one row, to prove that a commit succeeds.
UPDATE probe SET count = count + 1;

-- holds_anything --
-- Whether there is anything that a move takes.
SELECT EXISTS (SELECT 1 FROM delivery) OR EXISTS (SELECT 1 FROM dropped_event) OR EXISTS (SELECT 1 FROM dedup_key)
    OR EXISTS (SELECT 1 FROM counter) OR EXISTS (SELECT 1 FROM audit) OR EXISTS (SELECT 1 FROM suppression) OR EXISTS (SELECT 1 FROM consent)
    OR EXISTS (SELECT 1 FROM person) OR EXISTS (SELECT 1 FROM inventory) OR EXISTS (SELECT 1 FROM quarantined);

-- highest_ids --
-- The highest ids ever given to a delivery and to a dropped event.
SELECT (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'delivery'),
       (SELECT coalesce(max(id), 0) FROM dropped_event);

-- begin_ids_above --
-- Give deliveries ids above this one.
INSERT OR REPLACE INTO sqlite_sequence (rowid, name, seq)
SELECT (SELECT rowid FROM sqlite_sequence WHERE name = 'delivery'), 'delivery',
       max(:delivery, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'delivery'), 0));

-- ids_there --
-- Which of these deliveries are there.
SELECT id FROM delivery WHERE id IN (SELECT value FROM json_each(:rows));

-- transfer_waiting_out --
-- Deliveries that are not delivered, to be moved to another outbox.
SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time, warnings,
       traceparent, source, amount, currency, checkout_id, buyer, state, held, reason, attempts, enqueued_at, due_at,
       settled_at, claim, body, version, erase_at, name, hold_until,
       is_trusted, shop, side, follows, merged, channel
FROM delivery LEFT JOIN payload ON delivery_id = id
WHERE id > :after_0 AND state <> 'delivered' ORDER BY id LIMIT :limit;

-- transfer_delivered_out --
-- Deliveries that are delivered likewise.
SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time, warnings,
       traceparent, source, amount, currency, checkout_id, buyer, state, held, reason, attempts, enqueued_at, due_at,
       settled_at, claim, body, version, erase_at, name, hold_until,
       is_trusted, shop, side, follows, merged, channel
FROM delivery LEFT JOIN payload ON delivery_id = id
WHERE id > :after_0 AND state = 'delivered' ORDER BY id LIMIT :limit;

-- transfer_attempts_out --
-- Their attempts, in order.
SELECT delivery_id, number, at, exit, status, message FROM (/* tried */)
WHERE delivery_id IN (SELECT value FROM json_each(:ids)) ORDER BY delivery_id, place;

-- transfer_deliveries_in --
-- Deliveries of another outbox.
INSERT INTO delivery (id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time,
                      warnings, traceparent, source, amount, currency, checkout_id, buyer, state, held, reason, attempts,
                      enqueued_at, due_at, settled_at, claim, payload_bytes, name, hold_until, is_trusted, shop, side,
                      follows, merged, channel)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15,
       value ->> 16, value ->> 17, value ->> 18, value ->> 19, value ->> 20, value ->> 21, value ->> 22, value ->> 23,
       coalesce(length(CAST(value ->> 25 AS BLOB)), 0), value ->> 28, value ->> 29, value ->> 30, value ->> 31,
       value ->> 32, value ->> 33, value ->> 34, value ->> 35
FROM json_each(:rows);

-- count_transferred --
-- Count them by name.
INSERT INTO name_count (name, source, day, state, count)
SELECT value ->> 28, value ->> 11, CAST((value ->> 20) / 86400 AS INTEGER),
       CASE WHEN value ->> 16 IN ('pending', 'claimed') THEN 'waiting' ELSE value ->> 16 END, 1
FROM json_each(:rows) WHERE true
ON CONFLICT DO UPDATE SET count = count + 1;

-- count_transferred_states --
-- Count them by state.
INSERT INTO move
SELECT value ->> 1, NULL, value ->> 16, count(*), sum(coalesce(length(CAST(value ->> 25 AS BLOB)), 0))
FROM json_each(:rows) GROUP BY value ->> 1, value ->> 16;

-- count_transferred_orders --
-- Count what those are worth that are orders.
INSERT INTO earned
SELECT enqueued_at, ad_account_id, preset, source, channel, currency,
       CASE WHEN state IN ('pending', 'claimed') THEN 'waiting' ELSE state END, 1, amount, delivery.id
FROM json_each(:rows) AS moved JOIN delivery ON delivery.id = moved.value ->> 0 WHERE event_name = 'checkout';

-- transfer_payloads_in --
-- Their payloads, as far as they are kept.
INSERT INTO payload (delivery_id, version, body, erase_at)
SELECT value ->> 0, value ->> 26, CAST(value ->> 25 AS BLOB), value ->> 27 FROM json_each(:rows)
WHERE value ->> 25 IS NOT NULL;

-- transfer_attempts_in --
-- Their attempts.
INSERT INTO attempt (delivery_id, place, number, at, exit, status, message)
SELECT moved.value ->> 0, 1 + tried.key, tried.value ->> 0, tried.value ->> 1, tried.value ->> 2, tried.value ->> 3,
       tried.value ->> 4
FROM json_each(:rows) AS moved, json_each(moved.value -> 24) AS tried;

-- drop_deliveries --
-- Deliveries that were moved to another outbox.
DELETE FROM delivery WHERE id IN (SELECT value ->> 0 FROM json_each(:rows));

-- transfer_dropped_events_in --
-- Dropped events of another outbox.
INSERT INTO dropped_event (id, message_id, ad_account_id, preset, exit, reason, warnings, event_name, order_id,
                           amount, currency, source, name, channel, is_trusted, was_enqueued, at)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15,
       value ->> 16
FROM json_each(:rows) WHERE true
ON CONFLICT DO NOTHING;

-- drop_dropped_events --
-- Dropped events that were moved to another outbox.
DELETE FROM dropped_event WHERE id IN (SELECT value ->> 0 FROM json_each(:rows));

-- transfer_audit_in --
-- The audit log of another outbox.
INSERT INTO audit (id, at, who, place, what, target, was, became)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
FROM json_each(:rows) WHERE true
ON CONFLICT DO NOTHING;

-- transfer_counts_out --
-- Counts, to be moved to another outbox.
SELECT span_s, start_at, name, preset, label, ad_account_id, source, count FROM counter
WHERE (span_s, start_at, name, preset, label, ad_account_id, source)
    > (:after_0, :after_1, :after_2, :after_3, :after_4, :after_5, :after_6)
ORDER BY span_s, start_at, name, preset, label, ad_account_id, source LIMIT :limit;

-- transfer_counts_in --
-- Counts of another outbox.
INSERT INTO counter (span_s, start_at, name, preset, label, ad_account_id, source, count)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
FROM json_each(:rows) WHERE true
ON CONFLICT DO NOTHING;

-- drop_filters --
-- Drop the filters of ids, which deliveries that come behind time would not stand in: they are made again.
DELETE FROM id_filter;

-- drop_sums --
-- Drop all sums of steps, which are no more than copies: they are made again.
DELETE FROM counter_sum;

-- drop_counts --
-- Counts that were moved to another outbox.
DELETE FROM counter WHERE (span_s, start_at, name, preset, label, ad_account_id, source) IN (
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 FROM json_each(:rows)
);

-- transfer_revenue_out --
-- What orders are worth, to be moved to another outbox.
SELECT day, ad_account_id, preset, source, channel, currency, became, orders, without_amount, millionths, largest, largest_id
FROM revenue
WHERE (day, ad_account_id, preset, source, channel, currency, became)
    > (:after_0, :after_1, :after_2, :after_3, :after_4, :after_5, :after_6)
ORDER BY day, ad_account_id, preset, source, channel, currency, became LIMIT :limit;

-- transfer_revenue_in --
-- What the orders of another outbox are worth, in the place of what was counted of those that were moved.
INSERT INTO revenue
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8, value ->> 9, value ->> 10, value ->> 11
FROM json_each(:rows) WHERE true
ON CONFLICT DO UPDATE SET
  orders = excluded.orders, without_amount = excluded.without_amount, millionths = excluded.millionths,
  largest = excluded.largest, largest_id = excluded.largest_id;

-- drop_revenue --
-- Sums that were moved to another outbox.
DELETE FROM revenue WHERE (day, ad_account_id, preset, source, channel, currency, became) IN (
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 FROM json_each(:rows)
);

-- day_delivered --
-- What was delivered on a day.
SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time, warnings,
       traceparent, source, amount, currency, checkout_id, buyer, state, held, reason, attempts, enqueued_at, due_at,
       settled_at, claim, NULL, NULL, NULL, name, NULL, is_trusted, shop, side, NULL, merged, channel
FROM delivery
WHERE state = 'delivered' AND (settled_at, id) > (:after_at, :after_id) AND settled_at < :end
ORDER BY settled_at, id LIMIT :limit;

-- day_dead --
-- What died on a day, and is dead still, or dismissed.
SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time, warnings,
       traceparent, source, amount, currency, checkout_id, buyer, state, held, reason, attempts, enqueued_at, due_at,
       settled_at, claim, NULL, NULL, NULL, name, NULL, is_trusted, shop, side, NULL, merged, channel
FROM delivery
WHERE state IN ('dead', 'dismissed') AND (settled_at, id) > (:after_at, :after_id) AND settled_at < :end
ORDER BY settled_at, id LIMIT :limit;

-- day_dropped_events --
-- What was noted on a day.
SELECT id, message_id, ad_account_id, preset, exit, reason, warnings, event_name, order_id, amount, currency, source,
       name, channel, is_trusted, was_enqueued, at
FROM dropped_event
WHERE (at, id) > (:after_at, :after_id) AND at < :end ORDER BY at, id LIMIT :limit;

-- day_counts --
-- What was counted on a day, by hour.
SELECT start_at / 3600 * 3600 AS hour, name, preset, label, ad_account_id, source, sum(count) FROM counter
WHERE span_s IN (60, 3600) AND start_at >= :begin AND start_at < :end
GROUP BY hour, name, preset, label, ad_account_id, source
ORDER BY hour, name, preset, label, ad_account_id, source;

-- salvage_deliveries --
-- Deliveries with ids from `first` to below `end`, without what lies in other tables.
SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time, warnings,
       traceparent, source, amount, currency, checkout_id, buyer, state, held, reason, attempts, enqueued_at, due_at,
       settled_at, claim, name, hold_until, is_trusted, shop, side, follows, merged, channel
FROM delivery NOT INDEXED WHERE id >= :first AND id < :end ORDER BY id;

-- salvage_unreleased --
-- The same of a file from before the first release: what was held by its preset had not been tried, nor moved in time.
SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time, warnings,
       traceparent, source, amount, currency, checkout_id, buyer, state, held, reason, attempts, enqueued_at, due_at,
       settled_at, claim, name, CASE WHEN state = 'pending' AND attempts = 0 AND due_at = enqueued_at THEN due_at END,
       0, '', NULL, NULL, 0, ''
FROM delivery NOT INDEXED WHERE id >= :first AND id < :end ORDER BY id;

-- salvage_payload --
-- The payload of one delivery, with its version and when it is erased.
SELECT body, version, erase_at FROM payload WHERE delivery_id = :delivery_id;

-- salvage_ids --
-- What an index knows of the deliveries of one shelf.
SELECT id, message_id FROM delivery INDEXED BY delivery_message WHERE shelf = :shelf;

-- salvage_dropped_events --
-- Dropped events with ids from `first` to below `end`.
SELECT id, message_id, ad_account_id, preset, exit, reason, warnings, event_name, order_id, amount, currency, source,
       name, channel, is_trusted, was_enqueued, at
FROM dropped_event NOT INDEXED WHERE id >= :first AND id < :end ORDER BY id;

-- salvage_unreleased_dropped_events --
-- The same of a file from before the first release, which does not say who is trusted.
SELECT id, message_id, ad_account_id, preset, exit, reason, warnings, event_name, order_id, amount, currency, source,
       name, '', 0, exit = 'withdrawn', at
FROM dropped_event NOT INDEXED WHERE id >= :first AND id < :end ORDER BY id;

-- salvage_audit --
-- Lines of the audit log with ids from `first` to below `end`.
SELECT id, at, who, place, what, target, was, became FROM audit NOT INDEXED WHERE id >= :first AND id < :end ORDER BY id;

-- salvage_keys --
-- Keys whose digests lie from `first` to below `end`.
SELECT digest, place, delivery_id, expires_at, known, learned, is_trusted FROM dedup_key
WHERE digest >= :first AND digest < :end ORDER BY digest, place;

-- salvage_counts --
-- Counts in their order.
SELECT span_s, start_at, name, preset, label, ad_account_id, source, count FROM counter
ORDER BY span_s, start_at, name, preset, label, ad_account_id, source;

-- salvage_counts_backwards --
-- Counts in the other order.
SELECT span_s, start_at, name, preset, label, ad_account_id, source, count FROM counter
ORDER BY span_s DESC, start_at DESC, name DESC, preset DESC, label DESC, ad_account_id DESC, source DESC;

-- salvage_inventory --
-- The inventory in its order.
SELECT span_s, counted, start_at, source, type, name, label, count FROM inventory
ORDER BY span_s, counted, start_at, source, type, name, label;

-- salvage_inventory_backwards --
-- The inventory in the other order.
SELECT span_s, counted, start_at, source, type, name, label, count FROM inventory
ORDER BY span_s DESC, counted DESC, start_at DESC, source DESC, type DESC, name DESC, label DESC;

-- salvage_revenue --
-- What orders are worth, in order.
SELECT day, ad_account_id, preset, source, channel, currency, became, orders, without_amount, millionths, largest, largest_id
FROM revenue ORDER BY day, ad_account_id, preset, source, channel, currency, became;

-- salvage_revenue_backwards --
-- What orders are worth, in the other order.
SELECT day, ad_account_id, preset, source, channel, currency, became, orders, without_amount, millionths, largest, largest_id
FROM revenue
ORDER BY day DESC, ad_account_id DESC, preset DESC, source DESC, channel DESC, currency DESC, became DESC;

-- salvage_shared --
-- Shared values in their order.
SELECT key, CAST(value AS BLOB) FROM shared ORDER BY key;

-- salvage_shared_backwards --
-- Shared values in the other order.
SELECT key, CAST(value AS BLOB) FROM shared ORDER BY key DESC;

-- consent_keys --
-- About which ids something else was answered since a turn, with their opt-outs as a `ConsentBook` has them; and the turn of now.
SELECT (SELECT json_group_array(json_array(key, opt_outs)) FROM (
         SELECT key, max(is_opt_out AND kind = 'device') + 2 * max(is_opt_out AND kind = 'opt_out')
                + 4 * max(is_opt_out AND kind = 'category') + 8 * max(is_opt_out AND NOT is_trusted) AS opt_outs
         FROM consent WHERE key IN (SELECT key FROM consent WHERE turn > :after) GROUP BY key)),
       (SELECT max(coalesce(max(turn), 0), (SELECT count FROM memory_size WHERE kind = 'consent turn')) FROM consent);

-- write_consents --
-- Note what was answered about ids, as `is_newer` and `after` of app/core/consent.py say.
INSERT INTO consent (key, author, is_trusted, user, for_trusted, is_opt_out, kind, at, total, source, turn)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
       value ->> 9, (SELECT max(coalesce(max(turn), 0), (SELECT count FROM memory_size WHERE kind = 'consent turn')) + 1 FROM consent)
FROM json_each(:rows) WHERE true
ON CONFLICT (key, author, is_trusted) DO UPDATE SET
  user = excluded.user, for_trusted = excluded.for_trusted OR (consent.for_trusted AND excluded.is_opt_out), is_opt_out = excluded.is_opt_out,
  kind = iif(consent.is_opt_out AND excluded.is_opt_out AND (consent.kind = 'category' OR excluded.kind = 'device'),
             consent.kind, excluded.kind),
  at = excluded.at, total = excluded.total, source = excluded.source
WHERE excluded.at > consent.at
   OR (excluded.at = consent.at AND excluded.is_opt_out AND (NOT consent.is_opt_out OR excluded.for_trusted > consent.for_trusted));

-- lifted_consents --
-- What an opt-in lifts: older opt-outs of the same browser or the same user, trusted ones by a trusted opt-in only.
SELECT key, author, is_trusted FROM consent
WHERE is_opt_out AND at < :at AND (:is_trusted OR NOT is_trusted) AND (key, author, is_trusted) IN (
  SELECT key, author, is_trusted FROM consent WHERE is_opt_out AND author = :author AND author <> ''
  UNION ALL
  SELECT key, author, is_trusted FROM consent WHERE is_opt_out AND user = :user AND user <> '' AND (:is_trusted OR NOT for_trusted)
  UNION ALL
  SELECT key, author, is_trusted FROM consent WHERE is_opt_out AND key = :user AND (:is_trusted OR NOT for_trusted)
);

-- lift_consents --
-- Let opt-outs be an opt-in from now on.
UPDATE consent SET is_opt_out = 0, at = :at
WHERE is_opt_out AND at < :at AND (key, author, is_trusted) IN (
  SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:rows)
);

-- subjects_of --
-- Whose some deliveries are. Of a trusted one, what a public event of the same message id says is not asked.
WITH meant AS MATERIALIZED (
  SELECT delivery.id, message_id, is_trusted, iif(event_name = 'checkout', order_id, NULL) AS order_id, side,
         iif(substr(owner, 33, 1) = CAST(is_trusted AS TEXT), owner, NULL) AS owner
  FROM json_each(:ids) AS asked JOIN delivery ON delivery.id = asked.value
)
SELECT id, is_trusted, order_id, side, trim(substr(owner, 1, 16)), trim(substr(owner, 17, 16)), substr(owner, 34)
FROM meant WHERE owner IS NOT NULL
UNION ALL
SELECT meant.id, meant.is_trusted, order_id, side, user, anonymous, contacts
FROM meant LEFT JOIN delivery_owner AS other
  ON other.message_id = meant.message_id AND other.is_trusted = meant.is_trusted
WHERE meant.owner IS NULL OR other.id IS NOT NULL;

-- still_claimed --
-- Which deliveries are still of a claim.
SELECT json_group_array(delivery.id) FROM json_each(:rows) AS asked JOIN delivery ON delivery.id = asked.value ->> 0
WHERE state = 'claimed' AND claim = asked.value ->> 1;

-- people --
-- What is remembered under ids with these numbers, in the order of the members of PersonRow.
SELECT '[' || coalesce(group_concat('["' || person.key || '",' || revision || ',' || record || ']'), '') || ']'
FROM json_each(:rows) CROSS JOIN person ON person.id = value;

-- linked_people --
-- Numbers of ids that are linked to users with these numbers.
SELECT json_group_array(id) FROM (
  SELECT person.id FROM json_each(:rows) CROSS JOIN person ON linked_id = value LIMIT :limit
);

-- suppressions --
-- Which of some ids are suppressed, and the other ids for which the opt-outs of these hold.
SELECT key, record FROM suppression WHERE key IN (
  SELECT value FROM json_each(:keys)
  UNION SELECT also.value FROM json_each(:keys) AS asked JOIN suppression ON suppression.key = asked.value
        JOIN json_each(suppression.record, '$.also') AS also
);

-- suppression_count --
-- How many ids are suppressed, how many of them by public events alone, and what a public key has added in an hour.
SELECT (SELECT count FROM memory_size WHERE kind = 'suppression'), (SELECT count FROM memory_size WHERE kind = 'public suppression'),
       coalesce((SELECT max(people, suppressions) FROM memory_hour WHERE key = :key AND hour = :hour), 0);

-- count_hour --
-- Count what a public key has added.
INSERT INTO memory_hour (key, hour, people, suppressions) VALUES (:key, :hour, :people, :suppressions)
ON CONFLICT (key, hour) DO UPDATE SET people = people + excluded.people, suppressions = suppressions + excluded.suppressions;

-- retain_suppressions --
-- Forget suppressions that are over.
DELETE FROM suppression WHERE key IN (
  SELECT key FROM suppression WHERE ends_at < :now ORDER BY ends_at LIMIT :limit OFFSET :skip
);

-- retain_memory_hours --
-- Forget what public keys added in earlier hours.
DELETE FROM memory_hour WHERE (key, hour) IN (
  SELECT key, hour FROM memory_hour WHERE hour < :now / 3600 - 1 LIMIT :limit OFFSET :skip
);

-- people_with --
-- Ids of a stretch of memory that begin as one of some digests, or under which one is remembered.
-- Behind them the last id of the stretch, and how many it has.
WITH
  wanted (beginning) AS MATERIALIZED (SELECT substr(value, 1, 16) FROM json_each(:digests)),
  stretch (id, key, record) AS MATERIALIZED (
    SELECT id, key, record FROM person WHERE id > person_id(:after) ORDER BY id LIMIT :limit
  )
SELECT
  (SELECT json_group_array(key) FROM stretch
   WHERE CASE WHEN :are_few
     THEN EXISTS (SELECT 1 FROM json_each(:digests) WHERE instr(record, value) OR value = substr(key, 1, 16))
     ELSE substr(key, 1, 16) IN (SELECT beginning FROM wanted) OR EXISTS (
       SELECT 1 FROM json_tree(record) AS each
       WHERE each.type = 'text' AND substr(each.value, 1, 16) IN (SELECT beginning FROM wanted)) END),
  (SELECT key FROM stretch ORDER BY id DESC LIMIT 1),
  (SELECT count(*) FROM stretch);

-- people_changed --
-- A key whose row or suppression is no longer what was read; nothing where all are.
SELECT value ->> 0 FROM json_each(:people) LEFT JOIN person ON person.id = value ->> 7 AND person.key = value ->> 0
WHERE coalesce(revision, 0) <> value ->> 1
UNION ALL
SELECT value ->> 0 FROM json_each(:suppressions) LEFT JOIN suppression ON suppression.key = value ->> 0
WHERE suppression.record IS NOT value ->> 1;

-- forget_people --
-- Forget ids of which nothing is left.
DELETE FROM person
WHERE id IN (SELECT value ->> 7 FROM json_each(:rows) WHERE value ->> 6 IS NULL)
  AND key IN (SELECT value ->> 0 FROM json_each(:rows) WHERE value ->> 6 IS NULL);

-- write_people --
-- Remember rows, each under the revision that follows the one that was read.
INSERT INTO person (id, key, revision, linked_to, linked_id, linked_at, seen_at, stale_at, record)
SELECT value ->> 7, value ->> 0, (value ->> 1) + 1, value ->> 2, value ->> 8, value ->> 3, value ->> 4, value ->> 5,
       value ->> 6
FROM json_each(:rows) WHERE value ->> 6 IS NOT NULL
ON CONFLICT (id) DO UPDATE SET
  revision = excluded.revision, linked_to = excluded.linked_to, linked_id = excluded.linked_id,
  linked_at = excluded.linked_at, seen_at = excluded.seen_at, stale_at = excluded.stale_at, record = excluded.record
WHERE person.key = excluded.key;

-- lift_suppressions --
-- Let suppressions go.
DELETE FROM suppression WHERE key IN (SELECT value ->> 0 FROM json_each(:rows) WHERE value ->> 2 IS NULL);

-- write_suppressions --
-- Set suppressions while there is room, for public ones in their half; known ones always.
WITH new AS MATERIALIZED (
  SELECT value ->> 0 AS key, instr(value ->> 2, '"is_trusted":true') = 0 AS is_public,
         row_number() OVER (PARTITION BY instr(value ->> 2, '"is_trusted":true') = 0 ORDER BY value ->> 0) AS number,
         row_number() OVER (ORDER BY instr(value ->> 2, '"is_trusted":true') = 0, value ->> 0) AS of_all
  FROM json_each(:rows) WHERE value ->> 1 IS NULL AND value ->> 2 IS NOT NULL
)
INSERT INTO suppression (key, record)
SELECT value ->> 0, value ->> 2 FROM json_each(:rows)
WHERE value ->> 2 IS NOT NULL AND (
  value ->> 1 IS NOT NULL
  OR value ->> 0 IN (
    SELECT key FROM new
    WHERE of_all <= :max_suppressions - (SELECT count FROM memory_size WHERE kind = 'suppression')
      AND (NOT is_public OR number <= :max_public - (SELECT count FROM memory_size WHERE kind = 'public suppression'))
  )
)
ON CONFLICT (key) DO UPDATE SET record = excluded.record;

-- forget_oldest_linked --
-- Forget the ids of a user that are more than may be: those that public events linked, and the longest linked, first.
DELETE FROM person WHERE id IN (
  SELECT id FROM (
    SELECT id, trust, row_number() OVER (PARTITION BY linked_id ORDER BY trust = 2 DESC, linked_at DESC) AS number
    FROM person WHERE linked_id IN (SELECT value FROM json_each(:rows))
  ) WHERE number > :max_linked AND trust <> 1
);

-- stale_people --
-- Take out of records what is too old, and links. What is left of them may be nothing.
UPDATE person SET
  record = json_set(record, '$.facts', json(fresh.facts), '$.link', json(fresh.link)),
  linked_to = CASE WHEN fresh.link <> 'null' THEN linked_to END,
  linked_id = CASE WHEN fresh.link <> 'null' THEN linked_id END,
  linked_at = CASE WHEN fresh.link <> 'null' THEN linked_at END,
  stale_at = fresh.stale_at,
  revision = revision + 1
FROM (
  SELECT
    old.id AS id,
    (SELECT coalesce(json_group_object(fact.key, json(fact.value)), '{}') FROM json_each(old.record, '$.facts') AS fact
     WHERE fact.value ->> 'at' >= CASE fact.key WHEN 'click' THEN :click_start ELSE :start END) AS facts,
    CASE WHEN old.record ->> '$.link.at' >= :start THEN old.record -> '$.link' ELSE 'null' END AS link,
    (SELECT min(ends) FROM (
       SELECT (fact.value ->> 'at') + CASE fact.key WHEN 'click' THEN :now - :click_start ELSE :now - :start END AS ends
       FROM json_each(old.record, '$.facts') AS fact
       WHERE fact.value ->> 'at' >= CASE fact.key WHEN 'click' THEN :click_start ELSE :start END
       UNION ALL
       SELECT (old.record ->> '$.link.at') + :now - :start WHERE old.record ->> '$.link.at' >= :start
     )) AS stale_at
  FROM person AS old WHERE old.stale_at < :now ORDER BY old.stale_at LIMIT :limit OFFSET :skip
) AS fresh
WHERE person.id = fresh.id;

-- forget_unseen --
-- Forget the ids that were unseen longest, as many as are too many; those of public events first.
DELETE FROM person WHERE id IN (
  SELECT id FROM person WHERE (trust > 0) < 2 ORDER BY trust > 0, seen_at
  LIMIT max(0, min(:limit, (SELECT count FROM memory_size WHERE kind = 'person') - :max_people)) OFFSET :skip
);

-- owned --
-- Whose the messages are of which an id or a contact begins as one of these keys, of a stretch of ids.
SELECT message_id, user, anonymous, contacts, is_trusted FROM message_owner
WHERE id > :after AND id <= :end
  AND (user IN (SELECT value FROM json_each(:keys)) OR anonymous IN (SELECT value FROM json_each(:keys))
    OR message_id IN (SELECT value FROM json_each(:messages))
    OR substr(contacts, 1, 16) IN (SELECT value FROM json_each(:keys))
    OR substr(contacts, 17, 16) IN (SELECT value FROM json_each(:keys))
    OR (length(contacts) > 32 AND EXISTS (SELECT 1 FROM json_each(:keys) WHERE instr(contacts, value))));

-- last_owner_id --
-- The highest id of a row that may tell whose a message is.
SELECT max(coalesce((SELECT max(id) FROM delivery_owner), 0), coalesce((SELECT max(id) FROM delivery), 0));

-- messages_of_deliveries --
-- The messages of deliveries behind one that are of some ids, by what their keys begin with; and the highest id given.
SELECT (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'delivery'), json_group_array(message_id)
FROM message_owner WHERE delivery_id > :after
  AND (user IN (SELECT value FROM json_each(:keys)) OR anonymous IN (SELECT value FROM json_each(:keys)));

-- forget_owners --
-- Forget whose the other messages of some ids are, by what their keys begin with, and whose some messages are; return them.
DELETE FROM delivery_owner
WHERE user IN (SELECT value FROM json_each(:keys)) OR anonymous IN (SELECT value FROM json_each(:keys))
   OR message_id IN (SELECT value FROM json_each(:messages))
RETURNING message_id;

-- deliveries_of --
-- The ids of all deliveries of some messages.
WITH RECURSIVE shelf (n) AS (
  SELECT min(id) >> 11 FROM delivery
  UNION ALL SELECT n + 1 FROM shelf WHERE n < (SELECT max(id) >> 11 FROM delivery)
)
SELECT delivery.id FROM shelf CROSS JOIN json_each(:keys) AS message
JOIN delivery ON delivery.shelf = shelf.n AND delivery.message_id = message.value;

-- payloads_of --
-- The payloads of some deliveries.
SELECT body FROM payload WHERE delivery_id IN (SELECT value FROM json_each(:rows));

-- kept_of --
-- Which messages of a stretch of deliveries hold one of some digests, and how many others tell nobody by an id.
-- Behind them the last id of the stretch, and how many deliveries it has.
WITH
  wanted (beginning) AS MATERIALIZED (SELECT substr(value, 1, 16) FROM json_each(:digests)),
  stretch AS MATERIALIZED (
    SELECT id, message_id, buyer, owner, (SELECT body FROM payload WHERE delivery_id = id) AS body
    FROM delivery WHERE id > :after ORDER BY id LIMIT :limit
  ),
  judged AS MATERIALIZED (
    -- to look for each of many digests in each event would take as long as both together
    SELECT message_id, owner, CASE WHEN :are_few THEN EXISTS (
             SELECT 1 FROM json_each(:digests)
             WHERE instr(buyer, substr(value, 1, 32)) > 0 OR instr(body, CAST(value AS BLOB)) > 0
           ) ELSE EXISTS (
             SELECT 1 FROM json_each(buyer) AS each WHERE substr(each.value, 1, 16) IN (SELECT beginning FROM wanted)
             UNION ALL
             SELECT 1 FROM json_tree(CAST(body AS TEXT)) AS each
             WHERE each.type = 'text' AND substr(each.value, 1, 16) IN (SELECT beginning FROM wanted)
           ) END AS is_meant,
           CASE WHEN body IS NULL THEN buyer <> '[]' ELSE instr(body, CAST('"external_id"' AS BLOB)) = 0 END AS is_nobodys
    FROM stretch
  )
SELECT
  (SELECT json_group_array(message_id) FROM judged WHERE is_meant),
  (SELECT count(*) FROM judged WHERE is_nobodys AND NOT is_meant AND owner IS NULL
   AND NOT EXISTS (SELECT 1 FROM delivery_owner AS other WHERE other.message_id = judged.message_id)),
  (SELECT max(id) FROM stretch),
  (SELECT count(*) FROM stretch);

-- kept_elsewhere --
-- How many keys of orders tell other buyers of whom nothing else is kept, and whether memory keeps anything.
-- Of orders that came since it is kept whose messages are, nothing is unknown.
SELECT
  (SELECT count(*) FROM dedup_key
   WHERE known ->> '$[1][0]' IS NOT NULL AND delivery_id NOT IN (SELECT id FROM delivery)
     AND expires_at < :lasts_s + min(coalesce((SELECT at FROM delivery_owner ORDER BY id LIMIT 1), 9e999),
                                     coalesce((SELECT enqueued_at FROM delivery WHERE owner IS NOT NULL ORDER BY id LIMIT 1),
                                              9e999))
     AND NOT EXISTS (SELECT 1 FROM json_each(:digests) WHERE instr(known, substr(value, 1, 32)) > 0)),
  EXISTS (SELECT 1 FROM person);

-- erase_keys_with --
-- Say of keys that their person is erased, wherever what is known of an order holds one of some digests.
UPDATE dedup_key SET known = :erased
WHERE known LIKE '[%' AND EXISTS (
  SELECT 1 FROM json_each(known, '$[1]') AS buyer
  WHERE substr(buyer.value, 1, 16) IN (SELECT substr(value, 1, 16) FROM json_each(:digests)));

-- forget_reasons --
-- Erase why events of some messages made no delivery.
WITH RECURSIVE shelf (n) AS (
  SELECT min(id) >> 13 FROM dropped_event
  UNION ALL SELECT n + 1 FROM shelf WHERE n < (SELECT max(id) >> 13 FROM dropped_event)
)
UPDATE dropped_event SET reason = :reason, warnings = '[]'
WHERE reason <> :reason AND id IN (
  SELECT dropped_event.id FROM shelf CROSS JOIN json_each(:rows) AS message
  JOIN dropped_event ON dropped_event.shelf = shelf.n AND dropped_event.message_id = message.value WHERE message.value <> ''
);

-- forget_buyers --
-- Erase whose some deliveries are, by what their buyers are told apart, and by what orders are bound to the other side.
UPDATE delivery SET buyer = '[]', side = NULL, owner = NULL
WHERE id IN (SELECT value FROM json_each(:rows)) AND (buyer <> '[]' OR side IS NOT NULL OR owner IS NOT NULL);

-- forget_deliveries --
-- Erase those of some deliveries that wait or are dead.
DELETE FROM delivery WHERE state <> 'delivered' AND id IN (SELECT value FROM json_each(:rows));

-- transfer_suppressions_in --
-- Who opted out, of another outbox.
INSERT INTO suppression (key, record) SELECT value ->> 0, value ->> 1 FROM json_each(:rows) WHERE true ON CONFLICT DO NOTHING;

-- drop_suppressions --
-- Suppressions that were moved to another outbox.
DELETE FROM suppression WHERE key IN (SELECT value ->> 0 FROM json_each(:rows));

-- transfer_consents_in --
-- What people answered, of another outbox.
INSERT INTO consent (key, author, is_trusted, user, for_trusted, is_opt_out, kind, at, total, source, turn)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
       value ->> 9, (SELECT max(coalesce(max(turn), 0), (SELECT count FROM memory_size WHERE kind = 'consent turn')) + 1 FROM consent)
FROM json_each(:rows) WHERE true ON CONFLICT DO NOTHING;

-- transfer_people_out --
-- What is remembered of people, to be moved to another outbox.
SELECT key, linked_to, linked_at, seen_at, stale_at, revision, record FROM person
WHERE id > person_id(:after_0) ORDER BY id LIMIT :limit;

-- transfer_people_in --
-- What another outbox remembered of people.
INSERT INTO person (id, key, linked_to, linked_id, linked_at, seen_at, stale_at, revision, record)
SELECT person_id(value ->> 0), value ->> 0, value ->> 1, person_id(value ->> 1), value ->> 2, value ->> 3, value ->> 4,
       value ->> 5, value ->> 6
FROM json_each(:rows) WHERE true ON CONFLICT DO NOTHING;

-- drop_people --
-- What was moved to another outbox of people.
DELETE FROM person WHERE id IN (SELECT person_id(value ->> 0) FROM json_each(:rows));

-- transfer_owners_out --
-- Whose messages there are, to be moved to another outbox: even numbers are ids of rows, odd ones of deliveries.
SELECT * FROM (
  SELECT id * 2 AS number, message_id, user, anonymous, at, contacts, is_trusted FROM delivery_owner
  WHERE id > :after_0 >> 1 ORDER BY id LIMIT :limit
)
UNION ALL
SELECT * FROM (
  SELECT delivery_id * 2 + 1, message_id, user, anonymous, at, contacts, is_trusted FROM message_owner
  WHERE delivery_id > (:after_0 - 1) >> 1 ORDER BY delivery_id LIMIT :limit
)
ORDER BY number LIMIT :limit;

-- transfer_owners_in --
-- Whose deliveries of another outbox are; the same twice does no harm.
INSERT INTO delivery_owner (message_id, user, anonymous, at, contacts, is_trusted)
SELECT value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 FROM json_each(:rows);

-- drop_owners --
-- Whose messages were moved to another outbox; deliveries that tell it follow them.
DELETE FROM delivery_owner WHERE id IN (SELECT (value ->> 0) >> 1 FROM json_each(:rows) WHERE NOT (value ->> 0) & 1);

-- salvage_suppressions --
-- Who opted out, in order.
SELECT key, record FROM suppression ORDER BY key;

-- salvage_suppressions_backwards --
-- Who opted out, in the other order.
SELECT key, record FROM suppression ORDER BY key DESC;

-- salvage_unreleased_suppressions --
-- Who opted out, of a file from before the first release.
SELECT key, json_object('opt_outs', json_array(json_object('at', at, 'for_trusted', json('true')))) FROM mark ORDER BY key;

-- salvage_unreleased_suppressions_backwards --
-- Who opted out, of such a file, in the other order.
SELECT key, json_object('opt_outs', json_array(json_object('at', at, 'for_trusted', json('true')))) FROM mark ORDER BY key DESC;

-- salvage_consents --
-- What people answered, in order.
SELECT key, author, is_trusted, user, for_trusted, is_opt_out, kind, at, total, source FROM consent
ORDER BY key, author, is_trusted;

-- salvage_consents_backwards --
-- What people answered, in the other order.
SELECT key, author, is_trusted, user, for_trusted, is_opt_out, kind, at, total, source FROM consent
ORDER BY key DESC, author DESC, is_trusted DESC;

-- salvage_people --
-- What is remembered of people, in order.
SELECT key, linked_to, linked_at, seen_at, stale_at, revision, record FROM person ORDER BY id;

-- salvage_people_backwards --
-- What is remembered of people, in the other order.
SELECT key, linked_to, linked_at, seen_at, stale_at, revision, record FROM person ORDER BY id DESC;

-- salvage_owners --
-- Whose messages there are of which no delivery tells it, in order.
SELECT id, message_id, user, anonymous, at, contacts, is_trusted FROM delivery_owner ORDER BY id;

-- salvage_owners_backwards --
-- The same in the other order.
SELECT id, message_id, user, anonymous, at, contacts, is_trusted FROM delivery_owner ORDER BY id DESC;

-- salvage_owners_of_deliveries --
-- Whose the deliveries are with ids from `first` to below `end`.
SELECT delivery_id, message_id, user, anonymous, at, contacts, is_trusted FROM message_owner
WHERE delivery_id >= :first AND delivery_id < :end ORDER BY delivery_id;

-- pending_of_order --
-- What is pending of an order for a preset; it may be found by several spellings of its id.
SELECT DISTINCT delivery.id, delivery.is_trusted, amount, currency FROM json_each(:rows) AS asked
JOIN dedup_key ON dedup_key.digest = asked.value JOIN delivery ON delivery.id = delivery_id
WHERE state = 'pending' AND preset = :preset;

-- drop_withdrawn --
-- Note that deliveries are withdrawn; of their warnings what came from memory is none.
INSERT INTO dropped_event (message_id, ad_account_id, preset, exit, reason, warnings, event_name, order_id,
                           amount, currency, source, name, channel, is_trusted, was_enqueued, at)
SELECT message_id, ad_account_id, preset, :outcome, :reason,
       (SELECT json_group_array(told.value) FROM json_each(warnings) AS told WHERE told.type = 'text'),
       event_name, order_id, amount, currency, source, name, channel, is_trusted, true, :at
FROM json_each(:rows) AS gone JOIN delivery ON delivery.id = gone.value;

-- keep_owners --
-- Keep whose deliveries are that are withdrawn.
INSERT INTO delivery_owner (message_id, user, anonymous, contacts, is_trusted, at)
SELECT message_id, user, anonymous, contacts, is_trusted, :at FROM message_owner
WHERE delivery_id IN (SELECT value FROM json_each(:rows));

-- count_withdrawn --
-- Count deliveries that are withdrawn.
INSERT INTO counter (span_s, start_at, name, preset, label, ad_account_id, source, count)
SELECT :span_s, :minute, :outcome, preset, '', ad_account_id, source, count(*)
FROM json_each(:rows) AS gone JOIN delivery ON delivery.id = gone.value GROUP BY preset, ad_account_id, source
ON CONFLICT DO UPDATE SET count = count + excluded.count;

-- withdraw --
-- Erase deliveries, and with them their payloads.
DELETE FROM delivery WHERE id IN (SELECT value FROM json_each(:rows));

-- forget_quarantined --
-- Erase the sealed events of ids.
DELETE FROM quarantined
WHERE EXISTS (SELECT 1 FROM json_each(keys) WHERE value IN (SELECT value FROM json_each(:keys)));

