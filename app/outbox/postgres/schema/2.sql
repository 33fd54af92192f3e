-- Version 2: the channel of an order, and trusted events by that name.

ALTER TABLE delivery ADD COLUMN channel text NOT NULL DEFAULT '';       -- such as pos; '' if no trusted event names it
ALTER TABLE delivered ADD COLUMN channel text NOT NULL DEFAULT '';
ALTER TABLE dropped_event ADD COLUMN channel text NOT NULL DEFAULT '';

-- The sums of orders by channel.
ALTER TABLE revenue ADD COLUMN channel text NOT NULL DEFAULT '';
ALTER TABLE revenue DROP CONSTRAINT revenue_pkey;
ALTER TABLE revenue ADD PRIMARY KEY (day, ad_account_id, preset, source, channel, currency, became, slot);

-- Events are trusted or public. PostgreSQL renames columns in indexes as well.
ALTER TABLE delivery RENAME COLUMN is_proven TO is_trusted;
ALTER TABLE delivered RENAME COLUMN is_proven TO is_trusted;
ALTER TABLE dropped_event RENAME COLUMN is_proven TO is_trusted;
ALTER TABLE dedup_key RENAME COLUMN is_proven TO is_trusted;
ALTER TABLE quarantined RENAME COLUMN is_proven TO is_trusted;
ALTER TABLE consent RENAME COLUMN is_proven TO is_trusted;
ALTER TABLE consent RENAME COLUMN for_proven TO for_trusted;

-- Note what was answered, as `is_newer` and `after` of app/core/consent.py say: groups of rows of [key, said_by, is_trusted,
-- user_key, for_trusted, is_no, kind, at, total, source], of which each has nos, or the yes of one event. A yes lifts older nos
-- of the same browser or the same user, trusted ones where it is trusted; they are returned.
CREATE OR REPLACE FUNCTION write_consents(groups json) RETURNS TABLE (key text, said_by text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  rows json;
  lifted json;
  yes_at float8;
  yes_by text;
  yes_user text;
  yes_trusted boolean;
BEGIN
  FOR rows IN SELECT value FROM json_array_elements(groups) LOOP
    lifted := NULL;
    IF NOT (rows -> 0 ->> 5)::boolean THEN
      yes_by := rows -> 0 ->> 1;
      yes_trusted := rows -> 0 ->> 2;
      yes_user := rows -> 0 ->> 3;
      yes_at := rows -> 0 ->> 7;
      SELECT json_agg(json_build_array(no.key, no.said_by, no.is_trusted)) INTO lifted FROM (
        SELECT key, said_by, is_trusted FROM consent
        WHERE is_no AND at < yes_at AND (yes_trusted OR NOT is_trusted) AND (key, said_by, is_trusted) IN (
          SELECT key, said_by, is_trusted FROM consent WHERE is_no AND said_by = yes_by AND said_by <> ''
          UNION ALL
          SELECT key, said_by, is_trusted FROM consent
          WHERE is_no AND user_key = yes_user AND user_key <> '' AND (yes_trusted OR NOT for_trusted)
          UNION ALL
          SELECT key, said_by, is_trusted FROM consent WHERE is_no AND key = yes_user AND (yes_trusted OR NOT for_trusted)
        ) ORDER BY key, said_by, is_trusted FOR UPDATE
      ) AS no;
    END IF;
    INSERT INTO consent (key, said_by, is_trusted, user_key, for_trusted, is_no, kind, at, total, source)
    SELECT row ->> 0, row ->> 1, (row ->> 2)::boolean, row ->> 3, (row ->> 4)::boolean, (row ->> 5)::boolean, row ->> 6,
           (row ->> 7)::float8, row ->> 8, row ->> 9
    FROM json_array_elements(rows) AS row ORDER BY 1, 2, 3
    ON CONFLICT (key, said_by, is_trusted) DO UPDATE SET
      user_key = excluded.user_key, for_trusted = excluded.for_trusted OR (consent.for_trusted AND excluded.is_no),
      is_no = excluded.is_no,
      kind = CASE WHEN consent.is_no AND excluded.is_no AND (consent.kind = 'category' OR excluded.kind = 'device')
                  THEN consent.kind ELSE excluded.kind END,
      at = excluded.at, total = excluded.total, source = excluded.source,
      turn = CASE WHEN consent.is_no = excluded.is_no AND (consent.kind = excluded.kind OR consent.kind = 'category')
                  THEN consent.turn ELSE excluded.turn END
    WHERE excluded.at > consent.at
       OR (excluded.at = consent.at AND excluded.is_no AND (NOT consent.is_no OR excluded.for_trusted > consent.for_trusted));
    IF lifted IS NOT NULL THEN
      UPDATE consent AS no SET is_no = false, at = yes_at, turn = pg_current_xact_id()
      FROM json_array_elements(lifted) AS row
      WHERE no.is_no AND no.at < yes_at
        AND no.key = row ->> 0 AND no.said_by = row ->> 1 AND no.is_trusted = (row ->> 2)::boolean;
      RETURN QUERY SELECT row ->> 0, row ->> 1 FROM json_array_elements(lifted) AS row;
    END IF;
  END LOOP;
END $$;

-- Generated columns read `is_trusted` in JSON.
ALTER TABLE person DROP COLUMN trust;    -- with the index person_seen
UPDATE person SET record = replace(replace(record, '"is_proven":', '"is_trusted":'), '"for_proven":', '"for_trusted":') WHERE strpos(record, '_proven":') > 0;
-- What comes from trusted events: 2 the link, 1 another part, 0 no part. Public persons are removed first.
ALTER TABLE person ADD COLUMN trust smallint NOT NULL GENERATED ALWAYS AS (
  CASE WHEN record ~ '"link": *\{[^{}]*"is_trusted": *true' THEN 2 WHEN record ~ '"is_trusted": *true' THEN 1 ELSE 0 END
) STORED;
CREATE INDEX person_seen ON person ((trust > 0), seen_at);
ALTER TABLE suppression DROP COLUMN is_public;
UPDATE suppression SET record = replace(replace(record, '"is_proven":', '"is_trusted":'), '"for_proven":', '"for_trusted":') WHERE strpos(record, '_proven":') > 0;
ALTER TABLE suppression ADD COLUMN is_public boolean NOT NULL GENERATED ALWAYS AS (strpos(record, '"is_trusted":true') = 0) STORED;

-- Every delivery with its state, for those who search.
DROP VIEW shown;
CREATE VIEW shown AS
  SELECT delivery.id, delivery.ad_account_id, delivery.preset, message_id, event_name, event_id, action_source,
         order_id, event_time, state, reason, attempts, enqueued_at, due_at, NULL::float8 AS settled_at, warnings,
         source, amount, currency, checkout_id, history, name,
         hold_until IS NOT NULL AS is_held, is_trusted, channel
  FROM queue JOIN delivery ON delivery.id = queue.id
  UNION ALL
  SELECT delivery.id, ad_account_id, preset, message_id, event_name, event_id, action_source,
         order_id, event_time, dead.state, reason, attempts, enqueued_at, NULL, settled_at, warnings,
         source, amount, currency, checkout_id, history, name, false, is_trusted, channel
  FROM dead JOIN delivery ON delivery.id = dead.id
  UNION ALL
  SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source,
         order_id, event_time, 'delivered', '', attempts, enqueued_at, NULL, settled_at, warnings,
         source, amount, currency, checkout_id, history, name, false, is_trusted, channel
  FROM delivered;
