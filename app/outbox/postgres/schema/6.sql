-- Version 6. When the latest delivery of each 4,096 ids was received: what is asked for since a moment begins where the
-- first one lies that may be meant. Ids do not grow with these times: a delivery may be held or begin again, a clock step
-- back. What is gone may stand in it.

CREATE TABLE part (
  part bigint NOT NULL,                  -- of a delivery: its id >> 12
  slot smallint NOT NULL,                -- of the connection: commits do not wait for each other
  latest_at float8 NOT NULL,
  PRIMARY KEY (part, slot)
) WITH (fillfactor = 50);

INSERT INTO part SELECT id >> 12, 0, max(enqueued_at) FROM shown GROUP BY 1;
