-- Version 16. When the latest delivery of a part was received: what is asked for since a moment begins where the first
-- one lies that may be meant. Ids do not grow with these times: a delivery may be held or begin again, a clock step back.

-- In bucket 0 only. What is kept so far of parts is made again, with it.
DELETE FROM id_filter;
ALTER TABLE id_filter ADD COLUMN latest_at REAL;
CREATE TRIGGER delivery_begins_again AFTER UPDATE OF enqueued_at ON delivery BEGIN
  UPDATE id_filter SET latest_at = max(latest_at, new.enqueued_at) WHERE bucket = 0 AND part = new.id >> 15;
END;
