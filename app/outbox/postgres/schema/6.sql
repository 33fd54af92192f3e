-- Version 6. When the latest delivery of each 4,096 ids was received: what is asked for since a moment begins where the
-- first one lies that may be meant. Ids do not grow with these times: a delivery may be held or begin again, a clock step
-- back. What is gone may stand in it.

CREATE TABLE part (
  part bigint NOT NULL,                  -- of a delivery: its id >> 12
  slot smallint NOT NULL,                -- of the connection: commits do not wait for each other
  latest_at float8 NOT NULL,
  PRIMARY KEY (part, slot)
) WITH (fillfactor = 50);

-- By a trigger, since a Pinrelay of version 5 may go on for a while. It knows the connection by its process.
CREATE FUNCTION time_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO part (part, slot, latest_at)
  SELECT id >> 12, pg_backend_pid() & 32767, max(enqueued_at) FROM entering GROUP BY 1 ORDER BY 1
  ON CONFLICT (part, slot) DO UPDATE SET latest_at = greatest(part.latest_at, excluded.latest_at);
  RETURN NULL;
END
$$;
CREATE TRIGGER line_enters AFTER INSERT ON line REFERENCING NEW TABLE AS entering
FOR EACH STATEMENT EXECUTE FUNCTION time_parts();

-- Behind the trigger, for which it waits until whoever enqueues is done.
INSERT INTO part
SELECT id >> 12, 0, max(enqueued_at) FROM (
  SELECT id, enqueued_at FROM line
  UNION ALL SELECT id, enqueued_at FROM dead
  UNION ALL SELECT id, enqueued_at FROM delivered
) AS received GROUP BY 1
ON CONFLICT (part, slot) DO UPDATE SET latest_at = greatest(part.latest_at, excluded.latest_at);
