-- Every statement that both engines have. A name, one sentence, the statement. `rows.py` renders them for each engine.
--
-- They are written in PostgreSQL's dialect, with `:name` for a parameter. {queue} is the table of deliveries that wait,
-- {dead} that of dead letters, {all} holds all deliveries.

-- let_go --
-- Put deliveries into the queue that followed others.
UPDATE {queue} SET follows = NULL, hold_until = NULL, due_at = least(due_at, :now::float8)
WHERE id = ANY(:ids::bigint[]);

-- follow --
-- Let what followed a delivery that is gone follow the one that took its place.
UPDATE {queue} SET follows = :next_id::bigint
WHERE ad_account_id = :ad_account_id AND follows <> 0 AND hold_until IS NOT NULL AND follows = :gone::bigint
  AND id <> :next_id::bigint;

-- wait_on --
-- Look again later at deliveries that follow others.
UPDATE {queue} SET hold_until = :until::float8 WHERE id = ANY(:ids::bigint[]);

-- end_holds --
-- Put what is no longer held by its preset into the queue, the longest over first, and what only a wrong clock delays.
WITH
  ended AS (
    SELECT id FROM {queue} WHERE ad_account_id = :ad_account_id AND hold_until <= :by::float8
      AND coalesce(follows, 0) = 0
    /* apart */
    ORDER BY hold_until LIMIT :limit FOR UPDATE SKIP LOCKED
  ),
  delayed AS (
    SELECT id FROM {queue}
    WHERE ad_account_id = :ad_account_id AND retried = {false} AND due_at > :due_by::float8 AND held = {false}
      AND hold_until IS NULL AND reason = ''
    /* apart */
    ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
  )
UPDATE {queue} SET hold_until = NULL, follows = NULL, due_at = least(due_at, :now::float8)
WHERE id IN (SELECT id FROM ended UNION ALL SELECT id FROM delayed);

-- get_shared --
-- One shared value.
SELECT value, revision FROM shared WHERE key = :key;

-- put_shared --
-- Write a shared value, unless somebody else has written since `revision`.
INSERT INTO shared (key, value, revision)
SELECT :key, :value, 1
WHERE coalesce(:revision::bigint, 0) = 0 OR EXISTS (SELECT 1 FROM shared WHERE key = :key)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = shared.revision + 1
WHERE :revision::bigint IS NULL OR shared.revision = :revision::bigint
RETURNING revision;

-- drop_shared --
-- Forget some shared values.
DELETE FROM shared WHERE key = ANY(:keys::text[]);

-- set_aside --
-- What is set aside.
SELECT key, value, revision FROM shared WHERE key >= 'set-aside/' AND key < 'set-aside0' ORDER BY key;

-- write_audit --
-- An entry of the audit log.
INSERT INTO audit (at, who, place, what, target, was, became)
VALUES (:at, :who, :place, :what, :target, :was, :became);

-- audit --
-- Lines of the audit log, newest first, of one target where that is given.
SELECT id, at, who, place, what, target, was, became FROM audit
WHERE id < :before AND (:target::text IS NULL OR target = :target) ORDER BY id DESC LIMIT :limit;

-- open_session --
-- Somebody has logged in.
INSERT INTO session (digest, who, seal, ends_at) VALUES (:digest, :who, :seal, :ends_at);

-- session --
-- Who has this cookie.
SELECT digest, who, seal, ends_at FROM session WHERE digest = :digest;

-- end_session --
-- A session is over.
DELETE FROM session WHERE digest = :digest;

-- forget_sums --
-- Drop sums of hours whose minutes are old, and of what the ledger forgets.
DELETE FROM counter_sum
WHERE (span_s = 3600 AND start_at < :minutes_start::float8)
   OR (span_s = 21600 AND start_at <= :ledger_start::float8 - 3600)
   OR (span_s = 86400 AND start_at <= :ledger_start::float8 - 3600);

-- forget_stale --
-- Forget ids of which nothing is left.
DELETE FROM person WHERE stale_at IS NULL;

-- retain_audit --
-- Forget who did what.
DELETE FROM audit WHERE id IN (
  SELECT id FROM audit WHERE at <= :audit_start::float8 ORDER BY at LIMIT :limit OFFSET :skip FOR UPDATE SKIP LOCKED
);

-- retain_sessions --
-- Forget sessions whose time is over.
DELETE FROM session WHERE digest IN (
  SELECT digest FROM session WHERE ends_at <= :now::float8 ORDER BY ends_at LIMIT :limit OFFSET :skip FOR UPDATE SKIP LOCKED
);

-- retain_keys --
-- Forget keys past their window.
DELETE FROM dedup_key WHERE (digest, place) IN (
  SELECT digest, place FROM dedup_key WHERE expires_at <= :now::float8 ORDER BY expires_at LIMIT :limit OFFSET :skip
  FOR UPDATE SKIP LOCKED
);

-- retain_consents --
-- Forget answers of browsers of which no user is known, when they are old.
DELETE FROM consent WHERE (key, author, is_trusted) IN (
  SELECT key, author, is_trusted FROM consent WHERE {user} = '' AND at < :now::float8 - 400 * 86400.0 ORDER BY at
  LIMIT :limit OFFSET :skip FOR UPDATE SKIP LOCKED
);

-- retain_owners --
-- Forget the owners of deliveries when the ledger has forgotten them.
DELETE FROM delivery_owner WHERE id IN (SELECT id FROM delivery_owner ORDER BY id LIMIT :limit OFFSET :skip) AND at <= :ledger_start::float8;

-- retain_inventory --
-- Forget hours after some days, and days with the ledger.
DELETE FROM inventory WHERE (span_s, counted, start_at, source, type, name, label) IN (
  SELECT span_s, counted, start_at, source, type, name, label FROM inventory
  WHERE counted IN ('received', 'public', 'exit', 'preset', 'sampled', 'found', 'catalogue', 'property')
    AND ((span_s = 3600 AND start_at < :hours_start::float8) OR (span_s = 86400 AND start_at < :days_start::float8))
  LIMIT :limit OFFSET :skip FOR UPDATE SKIP LOCKED
);

-- retain_quarantined --
-- Erase sealed events whose time is over.
DELETE FROM quarantined WHERE id IN (SELECT id FROM quarantined WHERE ends_at <= :now LIMIT :limit OFFSET :skip);

-- consents --
-- What people answered about ids.
SELECT key, author, is_trusted, {user}, for_trusted, is_opt_out, kind, at, total, source FROM consent
WHERE key = ANY(:keys::text[]) ORDER BY key, author, is_trusted;

-- forget_opt_ins --
-- Erase opt-ins. Opt-outs remain after an erasure.
DELETE FROM consent WHERE NOT is_opt_out AND (key, author, is_trusted) IN (
  SELECT key, author, is_trusted FROM consent WHERE key = ANY(:keys::text[])
  UNION ALL
  SELECT key, author, is_trusted FROM consent WHERE author = ANY(:keys::text[])
  UNION ALL
  SELECT key, author, is_trusted FROM consent WHERE {user} <> '' AND {user} = ANY(:keys::text[])
);

-- erase_keys --
-- Mark every key of these deliveries as erased.
-- Keys are selected by delivery, because a digest may depend on a shop or token that is not stored with the delivery.
UPDATE dedup_key SET known = :erased WHERE delivery_id = ANY(:ids::bigint[]);

-- inventory --
-- Counts by hour or day, of one name where one is given.
SELECT start_at, source, type, name, counted, label, count FROM inventory
WHERE span_s = :span_s AND counted = ANY(:counted::text[]) AND start_at >= :since::float8
  AND (:name::text IS NULL OR (name, type, source) = (:name::text, :type::text, :source::text))
ORDER BY start_at, source, type, name, counted, label;

-- dropped_orders --
-- Dropped events of orders, the oldest first.
SELECT id, order_id, exit, reason, amount, currency, preset, source, ad_account_id, channel, at
FROM dropped_event WHERE id > :after::bigint AND coalesce(event_name = 'checkout', order_id IS NOT NULL) AND at >= :since::float8
ORDER BY id LIMIT :limit;

-- quarantined --
-- Sealed events that a filter means, the oldest first.
SELECT id, at, ends_at, source, is_trusted, name, exit, reason, message_id, keys, sealed FROM quarantined
WHERE id > :after AND ends_at > :now AND (exit = 'accepted') = :samples
  AND name = coalesce(:name::text, name) AND exit = coalesce(:outcome::text, exit)
  AND source = coalesce(:source::text, source) AND reason = coalesce(:reason::text, reason)
ORDER BY id LIMIT :limit;

-- quarantine_groups --
-- How many sealed events there are of each kind, the most first.
SELECT source, name, exit, reason, count(*), min(at), max(at) FROM quarantined
WHERE ends_at > :now AND exit <> 'accepted'
GROUP BY source, name, exit, reason ORDER BY count(*) DESC, name COLLATE "C", reason COLLATE "C", source COLLATE "C", exit
LIMIT :limit;

-- release_quarantined --
-- Erase sealed events.
DELETE FROM quarantined WHERE id = ANY(:ids::bigint[]);

-- trusted_quarantine --
-- How many bytes of sealed events are trusted.
SELECT coalesce(sum(length(sealed)), 0) FROM quarantined WHERE is_trusted = {true} AND exit <> 'accepted';

-- trim_samples --
-- Erase samples until each name has so many, the newest; of public ones half as many.
DELETE FROM quarantined WHERE exit = 'accepted' AND id NOT IN (
  SELECT id FROM (
    SELECT id, row_number() OVER (PARTITION BY name ORDER BY id DESC) AS number FROM (
      SELECT id, name, is_trusted, row_number() OVER (PARTITION BY name, is_trusted ORDER BY id DESC) AS of_trust
      FROM quarantined WHERE exit = 'accepted'
    ) AS by_trust
    WHERE is_trusted OR of_trust <= :most::int / 2
  ) AS by_name
  WHERE number <= :most::int
);

-- transfer_keys_out --
-- Keys, to be moved to another outbox.
SELECT digest, place, delivery_id, expires_at, known, learned::integer, is_trusted::integer FROM dedup_key
WHERE (digest, place) > (:after_0, :after_1) ORDER BY digest, place LIMIT :limit;

-- transfer_dropped_events_out --
-- Dropped events, to be moved to another outbox.
SELECT id, message_id, ad_account_id, preset, exit, reason, warnings, event_name, order_id, amount, currency, source,
       name, channel, is_trusted, was_enqueued, at
FROM dropped_event
WHERE id > :after_0 ORDER BY id LIMIT :limit;

-- transfer_audit_out --
-- The audit log, to be moved to another outbox.
SELECT id, at, who, place, what, target, was, became FROM audit WHERE id > :after_0 ORDER BY id LIMIT :limit;

-- transfer_inventory_out --
-- The inventory, to be moved to another outbox.
SELECT span_s, counted, start_at, source, type, name, label, count FROM inventory
WHERE (span_s, counted, start_at, source, type, name, label)
    > (:after_0::integer, :after_1, :after_2::bigint, :after_3, :after_4, :after_5, :after_6)
ORDER BY span_s, counted, start_at, source, type, name, label LIMIT :limit;

-- transfer_suppressions_out --
-- Who opted out, to be moved to another outbox.
SELECT key, record FROM suppression WHERE key > :after_0 ORDER BY key LIMIT :limit;

-- transfer_consents_out --
-- What people answered, to be moved to another outbox.
SELECT key, author, is_trusted::int, {user}, for_trusted::int, is_opt_out::int, kind, at, total, source FROM consent
WHERE (key, author, is_trusted::int) > (:after_0, :after_1, :after_2)
ORDER BY key, author, is_trusted LIMIT :limit;

-- transfer_quarantined_out --
-- Sealed events, to be moved to another outbox.
SELECT id, at, ends_at, source, is_trusted, name, exit, reason, message_id, keys, sealed FROM quarantined
WHERE id > :after_0 ORDER BY id LIMIT :limit;

-- release --
-- Put what is held of a preset back in the queue, the longest due first.
UPDATE {queue} SET held = {false}, reason = '', due_at = least(due_at, :now::float8)
WHERE id IN (
  SELECT id FROM {queue} WHERE ad_account_id = :ad_account_id AND held = {true} AND preset = :preset
  /* apart */
  ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
);

-- claimable --
-- What a claim may change: what is due, what is out of the queue, what is no longer held, and what only a wrong clock delays.
SELECT * FROM (
  SELECT id FROM {queue}
  WHERE ad_account_id = :ad_account_id AND retried = {false} AND held = {false} AND hold_until IS NULL
    AND due_at <= :now::float8
  /* apart */
  ORDER BY due_at, id LIMIT :limit
) AS fresh
UNION ALL
SELECT * FROM (
  SELECT id FROM {queue}
  WHERE ad_account_id = :ad_account_id AND retried = {true} AND held = {false} AND hold_until IS NULL
    AND due_at <= :now::float8
  /* apart */
  ORDER BY due_at, id LIMIT :limit
) AS retries
UNION ALL
SELECT * FROM (
  SELECT id FROM {queue} WHERE ad_account_id = :ad_account_id AND held = {true}
  /* apart */
  ORDER BY preset, due_at LIMIT :limit
) AS kept
UNION ALL
SELECT * FROM (
  SELECT id FROM {queue} WHERE ad_account_id = :ad_account_id AND hold_until <= :by::float8
  /* apart */
  ORDER BY hold_until LIMIT :limit
) AS ended
UNION ALL
SELECT * FROM (
  SELECT id FROM {queue}
  WHERE ad_account_id = :ad_account_id AND retried = {false} AND due_at > :due_by::float8 AND held = {false}
    AND hold_until IS NULL AND reason = ''
  /* apart */
  ORDER BY due_at LIMIT :limit
) AS delayed;

-- deliveries --
-- The deliveries with some ids.
SELECT /* columns */ FROM (/* stored */) AS stored WHERE delivery_id = ANY(:ids::bigint[]);

-- states --
-- Where some deliveries stand.
SELECT id, state FROM {all} WHERE id = ANY(:ids::bigint[]);

-- explain_dead --
-- Say why dead deliveries stay dead.
UPDATE {dead} SET reason = staying.value ->> 1 FROM each_row(:rows) AS staying
WHERE {dead}.id = (staying.value ->> 0)::bigint;

-- release_learned --
-- Forget what was learned of deliveries that are dead.
DELETE FROM dedup_key WHERE learned = {true} AND delivery_id = ANY(:ids::bigint[]);

-- release_keys --
-- Forget the keys of deliveries that are dead, unless another delivery holds them.
DELETE FROM dedup_key
WHERE digest IN (SELECT key.value ->> 0 FROM each_row(:rows) AS key)
  AND delivery_id IN (SELECT (key.value ->> 1)::bigint FROM each_row(:rows) AS key);

-- quarantine --
-- Keep sealed events; one that is kept already stays as it is.
INSERT INTO quarantined (at, ends_at, source, is_trusted, name, exit, reason, message_id, keys, sealed)
SELECT (row.value ->> 0)::float8, (row.value ->> 1)::float8, row.value ->> 2, (row.value ->> 3)::boolean,
       row.value ->> 4, row.value ->> 5, row.value ->> 6, row.value ->> 7, row.value ->> 8, row.value ->> 9
FROM each_row(:rows) AS row WHERE true
ON CONFLICT DO NOTHING;

-- too_many_names --
-- The rarest names, as many as are too many of trusted ones and of public ones; among equals the oldest.
SELECT source, type, name FROM (
  SELECT *, row_number() OVER (
    PARTITION BY is_trusted ORDER BY number DESC NULLS LAST, last_at DESC NULLS LAST, source, type, name
  ) AS place
  FROM (
    SELECT source, type, name, sum(count) FILTER (WHERE counted = 'received') AS number,
           max(start_at) FILTER (WHERE counted = 'received') AS last_at,
           sum(CASE counted WHEN 'public' THEN -count ELSE count END) > 0 AS is_trusted
    FROM inventory WHERE span_s = 86400 AND counted IN ('received', 'public') AND type <> ''
    GROUP BY source, type, name
  ) AS named
) AS ranked
WHERE place > CASE WHEN is_trusted THEN :max_names ELSE :public_names END;

-- count_as_others --
-- Count what became of some names as that of the others of their source.
INSERT INTO inventory (span_s, counted, start_at, source, type, name, label, count)
SELECT span_s, counted, start_at, source, '', :others, label, sum(count) FROM inventory
WHERE (name, type, source) IN (SELECT row.value ->> 2, row.value ->> 1, row.value ->> 0 FROM each_row(:rows) AS row)
  AND counted IN ('received', 'public', 'exit')
GROUP BY span_s, counted, start_at, source, label
ON CONFLICT (span_s, counted, start_at, source, type, name, label)
DO UPDATE SET count = inventory.count + excluded.count;

-- forget_names --
-- Forget some names.
DELETE FROM inventory
WHERE (name, type, source) IN (SELECT row.value ->> 2, row.value ->> 1, row.value ->> 0 FROM each_row(:rows) AS row);

-- trusted_names --
-- Of how many names not all events were public.
SELECT count(*) FROM (
  SELECT 1 FROM inventory WHERE span_s = 86400 AND counted IN ('received', 'public') AND type <> ''
  GROUP BY source, type, name HAVING sum(CASE counted WHEN 'public' THEN -count ELSE count END) > 0
) AS trusted;

-- trim_quarantine --
-- Erase the oldest sealed events that are trusted, or that are public, until the others of them have so many bytes.
DELETE FROM quarantined WHERE exit <> 'accepted' AND is_trusted = :is_trusted AND id <= (
  SELECT max(id) FROM (
    SELECT id, sum(length(sealed)) OVER (ORDER BY id DESC) AS size FROM quarantined
    WHERE exit <> 'accepted' AND is_trusted = :is_trusted
  ) AS sized
  WHERE size > :max_bytes
);

-- sum_step --
-- Sum what was counted in a step, as `sum_parameters` says of which sums.
INSERT INTO counter_sum (span_s, start_at, name, preset, label, ad_account_id, source, count)
SELECT :length_s, :since, name, preset, label, ad_account_id, source, sum(count) FROM (/* counted */) AS each_span
GROUP BY name, preset, label, ad_account_id, source;

-- keys_taken --
-- Which of these keys are remembered, for which delivery, until when, in which place, and what is known of its order.
SELECT digest, delivery_id, expires_at, place, known, is_trusted FROM dedup_key WHERE digest = ANY(:digests::text[])
ORDER BY digest, place;

-- cancelled --
-- What is remembered of cancelled orders.
SELECT digest, known, is_trusted FROM dedup_key WHERE digest = ANY(:digests::text[]) AND expires_at > :now::float8;

-- take_keys --
-- Remember keys for their deliveries, except those that another process has taken meanwhile.
INSERT INTO dedup_key (digest, delivery_id, expires_at, place, known, is_trusted)
SELECT key.value ->> 0, (key.value ->> 1)::bigint, (key.value ->> 2)::float8, (key.value ->> 3)::smallint,
       key.value ->> 4, (key.value ->> 5)::boolean
FROM each_row(:rows) AS key WHERE true
ORDER BY key.value ->> 0
ON CONFLICT (digest, place) DO UPDATE SET
  delivery_id = excluded.delivery_id, expires_at = excluded.expires_at, known = excluded.known,
  is_trusted = excluded.is_trusted, learned = {false}
WHERE dedup_key.expires_at <= :now::float8;

-- keep_erased_keys --
-- Remember keys of deliveries that are erased, and were dead: they held none. What others hold stays theirs.
INSERT INTO dedup_key (digest, delivery_id, expires_at, place, known, is_trusted)
SELECT key.value ->> 0, (key.value ->> 1)::bigint, (key.value ->> 2)::float8, 0, :erased, (key.value ->> 3)::boolean
FROM each_row(:rows) AS key WHERE true
ORDER BY key.value ->> 0
ON CONFLICT DO NOTHING;

-- remember_cancelled --
-- Remember that orders are cancelled, for those of them that are still to come.
INSERT INTO dedup_key (digest, place, delivery_id, expires_at, known, is_trusted)
SELECT row.value ->> 0, (row.value ->> 1)::smallint, 0, (row.value ->> 2)::float8, row.value ->> 3,
       (row.value ->> 4)::boolean
FROM each_row(:rows) AS row WHERE true ORDER BY 1, 2
ON CONFLICT (digest, place) DO UPDATE SET expires_at = excluded.expires_at, known = excluded.known;

-- transfer_keys_in --
-- Keys of another outbox.
INSERT INTO dedup_key (digest, place, delivery_id, expires_at, known, learned, is_trusted)
SELECT row.value ->> 0, (row.value ->> 1)::smallint, (row.value ->> 2)::bigint, (row.value ->> 3)::float8, row.value ->> 4,
       (row.value ->> 5)::integer::boolean, (row.value ->> 6)::integer::boolean
FROM each_row(:rows) AS row WHERE true
ON CONFLICT DO NOTHING;

-- transfer_quarantined_in --
-- Sealed events of another outbox; the same twice does no harm.
INSERT INTO quarantined (at, ends_at, source, is_trusted, name, exit, reason, message_id, keys, sealed)
SELECT (row.value ->> 1)::float8, (row.value ->> 2)::float8, row.value ->> 3, (row.value ->> 4)::boolean, row.value ->> 5,
       row.value ->> 6, row.value ->> 7, row.value ->> 8, row.value ->> 9, row.value ->> 10
FROM each_row(:rows) AS row WHERE true
ON CONFLICT DO NOTHING;

-- transfer_inventory_in --
-- The inventory of another outbox.
INSERT INTO inventory (span_s, counted, start_at, source, type, name, label, count)
SELECT (row.value ->> 0)::integer, row.value ->> 1, (row.value ->> 2)::bigint, row.value ->> 3, row.value ->> 4,
       row.value ->> 5, row.value ->> 6, (row.value ->> 7)::bigint
FROM each_row(:rows) AS row WHERE true
ON CONFLICT DO NOTHING;

-- drop_keys --
-- Keys that were moved to another outbox.
DELETE FROM dedup_key
WHERE (digest, place) IN (SELECT row.value ->> 0, (row.value ->> 1)::smallint FROM each_row(:rows) AS row);

-- drop_quarantined --
-- Sealed events that were moved to another outbox.
DELETE FROM quarantined WHERE id IN (SELECT (row.value ->> 0)::bigint FROM each_row(:rows) AS row);

-- drop_consents --
-- Answers that were moved to another outbox.
DELETE FROM consent WHERE (key, author, is_trusted) IN (
  SELECT row.value ->> 0, row.value ->> 1, (row.value ->> 2)::integer::boolean FROM each_row(:rows) AS row
);

-- drop_audit --
-- Lines of the audit log that were moved to another outbox.
DELETE FROM audit WHERE id IN (SELECT (row.value ->> 0)::bigint FROM each_row(:rows) AS row);

-- drop_inventory --
-- What was moved of the inventory.
DELETE FROM inventory WHERE (span_s, counted, start_at, source, type, name, label) IN (
  SELECT (row.value ->> 0)::integer, row.value ->> 1, (row.value ->> 2)::bigint, row.value ->> 3, row.value ->> 4,
         row.value ->> 5, row.value ->> 6
  FROM each_row(:rows) AS row
);

-- add_to_inventory --
-- Add counts to their hour or day.
INSERT INTO inventory (span_s, counted, start_at, source, type, name, label, count)
SELECT (row.value ->> 0)::integer, row.value ->> 1, (row.value ->> 2)::bigint, row.value ->> 3, row.value ->> 4,
       row.value ->> 5, row.value ->> 6, sum((row.value ->> 7)::bigint)
FROM each_row(:rows) AS row WHERE true GROUP BY 1, 2, 3, 4, 5, 6, 7
ON CONFLICT (span_s, counted, start_at, source, type, name, label)
DO UPDATE SET count = inventory.count + excluded.count;

-- summed_spans --
-- Of each length the starts of the first and the last step that are summed.
SELECT span.column1, (SELECT min(start_at) FROM counter_sum WHERE span_s = span.column1),
       (SELECT max(start_at) FROM counter_sum WHERE span_s = span.column1)
FROM (VALUES (3600), (21600), (86400)) AS span;

