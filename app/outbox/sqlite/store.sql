-- What a connection that enqueues is taught: to store all of a call by one statement, which writes into a view with
-- nothing but a trigger. SQLite runs the steps of a trigger without a word to Python, whose lock the event loop holds
-- nearly always: to get it after each step took longer than the steps.
--
-- Sets of rows are JSON arrays; `kinds` is what deliveries have in common. Deliveries get their ids in their order,
-- counted from `first_id`.

CREATE TEMP VIEW storing AS
SELECT NULL AS unseen, NULL AS max_bytes, NULL AS loads, NULL AS moves, NULL AS first_id, NULL AS kinds,
       NULL AS deliveries, NULL AS payloads, NULL AS spans, NULL AS version, NULL AS keys, NULL AS dropped_events,
       NULL AS counters, NULL AS span_s, NULL AS owners, NULL AS now, NULL AS named;

CREATE TEMP TRIGGER store INSTEAD OF INSERT ON storing BEGIN

  -- Give up, with nothing changed, where what is to be stored has to be looked at first. Of keys only the places behind
  -- the first are looked at: what is unseen gets the first, and the statement that stores keys gives up where it is taken.
  SELECT RAISE(ABORT, 'not all new') WHERE new.unseen AND (
    EXISTS (SELECT 1 FROM json_each(new.keys) AS kind CROSS JOIN json_each(kind.value, '$[3]') AS key
            JOIN dedup_key ON dedup_key.digest = substr(key.value, 1, 20) AND dedup_key.place > 0)
    OR EXISTS (
      SELECT 1 FROM json_each(new.loads) LEFT JOIN backlog ON ad_account_id = value ->> 0 AND state IN ('pending', 'claimed')
      GROUP BY key
      HAVING (value ->> 2) + coalesce(sum(bytes), 0) > new.max_bytes
    )
  );

  -- Deliveries, some of them claimed. A kind or an array is read once: LIMIT keeps SQLite from doing so for each row or column.
  INSERT INTO delivery (id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id,
                        event_time, warnings, traceparent, source, amount, currency, checkout_id, buyer, side, follows,
                        owner, name, is_trusted, shop, channel, payload_bytes, enqueued_at, due_at, hold_until, state, claim,
                        attempts)
  SELECT new.first_id + own.key, ad_account_id, preset, value ->> 1, event_name, value ->> 2, action_source, value ->> 3,
         value ->> 4, value -> 5, traceparent, source, value ->> 6, currency, value ->> 7, value -> 8, value ->> 9,
         value ->> 10, value ->> 12, name, is_trusted, shop, channel, value ->> 11, at, due_at, hold_until,
         iif(claim IS NULL, 'pending', 'claimed'), claim, claim IS NOT NULL
  FROM (SELECT key, value FROM json_each(new.deliveries) LIMIT -1) AS own CROSS JOIN (
    SELECT key AS number, value ->> 0 AS ad_account_id, value ->> 1 AS preset, value ->> 2 AS event_name,
           value ->> 3 AS action_source, value ->> 4 AS traceparent, value ->> 5 AS source, value ->> 6 AS currency,
           value ->> 7 AS name, value ->> 8 AS is_trusted, value ->> 9 AS shop,
           value ->> 10 AS channel, value ->> 11 AS at, value ->> 12 AS due_at, value ->> 13 AS hold_until,
           value ->> 14 AS claim
    FROM json_each(new.kinds) LIMIT -1
  ) AS kind ON kind.number = own.value ->> 0;

  -- How many wait, and how many of these are claimed.
  INSERT INTO move SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(new.moves);

  -- What those are worth that are orders.
  INSERT INTO earned
  SELECT enqueued_at, ad_account_id, preset, source, channel, currency, 'waiting', 1, amount, id
  FROM delivery WHERE id >= new.first_id AND event_name = 'checkout';

  -- Their payloads, each cut out of one blob by its span.
  INSERT INTO payload (delivery_id, version, body)
  SELECT new.first_id + key, new.version, substr(new.payloads, 1 + (value ->> 0), value ->> 1)
  FROM json_each(new.spans);

  -- Their keys, texts as `_keys` writes them. Where one has its place already, its time is over; if all was taken as
  -- unseen, nobody has looked, and NULL, which the column refuses, undoes all of it.
  INSERT INTO dedup_key (digest, delivery_id, expires_at, place, known, is_trusted)
  SELECT substr(value, 1, 20), new.first_id + substr(value, 21, 8), expires_at, place, nullif(substr(value, 29), ''),
         is_trusted
  FROM (
    SELECT value ->> 0 AS expires_at, value ->> 1 AS place, value ->> 2 AS is_trusted, value -> 3 AS texts
    FROM json_each(new.keys) LIMIT -1
  ) AS kind CROSS JOIN json_each(kind.texts) WHERE true
  ON CONFLICT (digest, place) DO UPDATE SET
    delivery_id = iif(new.unseen, NULL, excluded.delivery_id), expires_at = excluded.expires_at, known = excluded.known,
    is_trusted = excluded.is_trusted, learned = 0;

  -- What made no delivery.
  INSERT INTO dropped_event (message_id, ad_account_id, preset, exit, reason, warnings, event_name, order_id, amount, currency,
                    source, name, channel, is_trusted, at)
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value -> 5, value ->> 6, value ->> 7,
         value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14
  FROM json_each(new.dropped_events);

  -- Counts of their minute.
  INSERT INTO counter (span_s, start_at, name, preset, label, ad_account_id, source, count)
  SELECT new.span_s, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
  FROM json_each(new.counters) WHERE true
  ON CONFLICT DO UPDATE SET count = count + excluded.count;

  -- Whose steps were summed already.
  DELETE FROM counter_sum WHERE (span_s, start_at) IN (
    SELECT span_s, start_at FROM (VALUES (3600), (21600), (86400)) AS span
    CROSS JOIN counter_sum ON span_s = span.column1 AND start_at > (new.counters ->> '$[0][0]') - span.column1
  );

  -- How many wait of each name.
  INSERT INTO name_count (name, source, day, state, count)
  SELECT value ->> 0, value ->> 1, value ->> 2, 'waiting', value ->> 3 FROM json_each(new.named) WHERE true
  ON CONFLICT DO UPDATE SET count = count + excluded.count;

  -- Whose the other messages are: what a delivery has in `owner`, a line, and the message id.
  INSERT INTO delivery_owner (message_id, user, anonymous, is_trusted, contacts, at)
  SELECT substr(value, instr(value, '|') + 1), nullif(trim(substr(value, 1, 16)), ''),
         nullif(trim(substr(value, 17, 16)), ''), CAST(substr(value, 33, 1) AS INTEGER),
         nullif(substr(value, 34, instr(value, '|') - 34), ''), new.now
  FROM json_each(new.owners);

END;
