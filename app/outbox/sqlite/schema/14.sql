-- Version 14. Sums, so that nobody counts a million rows.

-- Where the deliveries of each name stand, by the day on which they came.
CREATE TABLE name_count (
  name TEXT NOT NULL,                -- under which their events arrived
  source TEXT NOT NULL,
  day INTEGER NOT NULL,              -- counted from 1970 (UTC)
  state TEXT NOT NULL,               -- waiting, delivered, dead, dismissed
  count INTEGER NOT NULL,
  PRIMARY KEY (name, source, day, state)
) STRICT, WITHOUT ROWID;
CREATE INDEX name_count_none ON name_count (day) WHERE count = 0;

-- What is stored or settled, a thousand at once, is counted by statements of its own: a trigger costs more than a move.
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

INSERT INTO name_count
SELECT name, source, CAST(enqueued_at / 86400 AS INTEGER),
       CASE WHEN state IN ('pending', 'claimed') THEN 'waiting' ELSE state END, count(*)
FROM delivery GROUP BY 1, 2, 3, 4;

-- What was counted in steps that are over: in hours while their minutes are kept, in six hours, in days. There is no gap
-- between the first and the last step of a length.
CREATE TABLE tally_sum (
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
