-- Version 7. The backlog is counted in bytes of payload too, and bounded by them.

ALTER TABLE backlog ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0);
UPDATE backlog SET bytes = (
  SELECT coalesce(sum(payload_bytes), 0) FROM delivery
  WHERE delivery.ad_account_id = backlog.ad_account_id AND delivery.state = backlog.state
);

DROP TRIGGER delivery_enters;
DROP TRIGGER delivery_moves;
DROP TRIGGER delivery_leaves;
CREATE TRIGGER delivery_enters AFTER INSERT ON delivery BEGIN
  INSERT INTO backlog VALUES (new.ad_account_id, new.state, 1, new.payload_bytes)
  ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER delivery_moves AFTER UPDATE OF state ON delivery WHEN old.state <> new.state BEGIN
  UPDATE backlog SET count = count - 1, bytes = bytes - old.payload_bytes
  WHERE ad_account_id = old.ad_account_id AND state = old.state;
  INSERT INTO backlog VALUES (new.ad_account_id, new.state, 1, new.payload_bytes)
  ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER delivery_leaves AFTER DELETE ON delivery BEGIN
  UPDATE backlog SET count = count - 1, bytes = bytes - old.payload_bytes
  WHERE ad_account_id = old.ad_account_id AND state = old.state;
END;
