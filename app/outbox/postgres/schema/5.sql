-- Version 5. Sums, so that nobody counts a million rows.

-- Where the deliveries of each name stand, by the day on which they came.
CREATE TABLE name_count (
  name text COLLATE "C" NOT NULL,        -- under which their events arrived
  source text COLLATE "C" NOT NULL,
  day integer NOT NULL,                  -- counted from 1970 (UTC)
  state text COLLATE "C" NOT NULL,         -- waiting, delivered, dead, dismissed
  slot smallint NOT NULL,                -- of the connection: commits do not wait for each other
  count bigint NOT NULL,
  PRIMARY KEY (name, source, day, state, slot)
) WITH (fillfactor = 50);
CREATE INDEX name_count_day ON name_count (day);

INSERT INTO name_count
SELECT name, source, floor(enqueued_at / 86400)::integer,
       CASE WHEN state IN ('pending', 'claimed') THEN 'waiting' ELSE state END, 0, count(*)
FROM shown GROUP BY 1, 2, 3, 4;

-- What was counted in steps that are over: in hours while their minutes are kept, in six hours, in days. There is no gap
-- between the first and the last step of a length.
CREATE TABLE tally_sum (
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
