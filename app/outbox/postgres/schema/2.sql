-- Version 2: the channel of an order; trusted events and opt-outs by these names.

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
ALTER TABLE consent RENAME COLUMN is_no TO is_opt_out;
ALTER TABLE consent RENAME COLUMN said_by TO author;
ALTER INDEX consent_said_by RENAME TO consent_author;

-- Store answers by the rules of `is_newer` and `after` in app/core/consent.py. A group is a list of rows [key, author, is_trusted,
-- user_key, for_trusted, is_opt_out, kind, at, total, source]: opt-outs, or the opt-ins of one event. An opt-in cancels older opt-outs
-- of the same browser or user, trusted opt-outs only if it is trusted itself. The cancelled opt-outs are returned.
DROP FUNCTION write_consents(json);
CREATE FUNCTION write_consents(groups json) RETURNS TABLE (key text, author text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  rows json;
  lifted json;
  opt_in_at float8;
  opt_in_by text;
  opt_in_user text;
  opt_in_trusted boolean;
BEGIN
  FOR rows IN SELECT value FROM json_array_elements(groups) LOOP
    lifted := NULL;
    IF NOT (rows -> 0 ->> 5)::boolean THEN
      opt_in_by := rows -> 0 ->> 1;
      opt_in_trusted := rows -> 0 ->> 2;
      opt_in_user := rows -> 0 ->> 3;
      opt_in_at := rows -> 0 ->> 7;
      SELECT json_agg(json_build_array(opt_out.key, opt_out.author, opt_out.is_trusted)) INTO lifted FROM (
        SELECT key, author, is_trusted FROM consent
        WHERE is_opt_out AND at < opt_in_at AND (opt_in_trusted OR NOT is_trusted) AND (key, author, is_trusted) IN (
          SELECT key, author, is_trusted FROM consent WHERE is_opt_out AND author = opt_in_by AND author <> ''
          UNION ALL
          SELECT key, author, is_trusted FROM consent
          WHERE is_opt_out AND user_key = opt_in_user AND user_key <> '' AND (opt_in_trusted OR NOT for_trusted)
          UNION ALL
          SELECT key, author, is_trusted FROM consent WHERE is_opt_out AND key = opt_in_user AND (opt_in_trusted OR NOT for_trusted)
        ) ORDER BY key, author, is_trusted FOR UPDATE
      ) AS opt_out;
    END IF;
    INSERT INTO consent (key, author, is_trusted, user_key, for_trusted, is_opt_out, kind, at, total, source)
    SELECT row ->> 0, row ->> 1, (row ->> 2)::boolean, row ->> 3, (row ->> 4)::boolean, (row ->> 5)::boolean, row ->> 6,
           (row ->> 7)::float8, row ->> 8, row ->> 9
    FROM json_array_elements(rows) AS row ORDER BY 1, 2, 3
    ON CONFLICT (key, author, is_trusted) DO UPDATE SET
      user_key = excluded.user_key, for_trusted = excluded.for_trusted OR (consent.for_trusted AND excluded.is_opt_out),
      is_opt_out = excluded.is_opt_out,
      kind = CASE WHEN consent.is_opt_out AND excluded.is_opt_out AND (consent.kind = 'category' OR excluded.kind = 'device')
                  THEN consent.kind ELSE excluded.kind END,
      at = excluded.at, total = excluded.total, source = excluded.source,
      turn = CASE WHEN consent.is_opt_out = excluded.is_opt_out AND (consent.kind = excluded.kind OR consent.kind = 'category')
                  THEN consent.turn ELSE excluded.turn END
    WHERE excluded.at > consent.at
       OR (excluded.at = consent.at AND excluded.is_opt_out AND (NOT consent.is_opt_out OR excluded.for_trusted > consent.for_trusted));
    IF lifted IS NOT NULL THEN
      UPDATE consent AS opt_out SET is_opt_out = false, at = opt_in_at, turn = pg_current_xact_id()
      FROM json_array_elements(lifted) AS row
      WHERE opt_out.is_opt_out AND opt_out.at < opt_in_at
        AND opt_out.key = row ->> 0 AND opt_out.author = row ->> 1 AND opt_out.is_trusted = (row ->> 2)::boolean;
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
UPDATE suppression
SET record = replace(replace(replace(record, '"is_proven":', '"is_trusted":'), '"for_proven":', '"for_trusted":'), '"nos":', '"opt_outs":');
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
