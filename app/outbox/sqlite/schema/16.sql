-- Version 16. When the latest delivery of a part was received: what is asked for since a moment begins where the first
-- one lies that may be meant. Ids do not grow with these times: a delivery may be held or begin again, a clock step back.

-- In bucket 0 only. What is kept so far of parts is made again, with it.
DELETE FROM id_filter;
ALTER TABLE id_filter ADD COLUMN latest_at REAL;
-- By triggers, since a Pinrelay of version 15 may go on for a while.
CREATE TRIGGER part_is_filled AFTER INSERT ON id_filter WHEN new.bucket = 0 BEGIN
  UPDATE id_filter SET latest_at = (
    SELECT max(enqueued_at) FROM delivery WHERE id >= new.part << 15 AND id < new.part + 1 << 15
  ) WHERE bucket = 0 AND part = new.part;
END;
CREATE TRIGGER delivery_begins_again AFTER UPDATE OF enqueued_at ON delivery BEGIN
  UPDATE id_filter SET latest_at = max(latest_at, new.enqueued_at) WHERE bucket = 0 AND part = new.id >> 15;
END;
