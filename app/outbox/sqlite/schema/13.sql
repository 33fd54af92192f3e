-- Version 13. What orders are worth, summed by the day on which they came, so that nobody adds up a million of them.

CREATE TABLE revenue (
  day INTEGER NOT NULL,              -- counted from 1970 (UTC)
  ad_account_id TEXT NOT NULL,       -- '', as the preset, of what reached none
  preset TEXT NOT NULL,
  source TEXT NOT NULL,
  currency TEXT NOT NULL,            -- '' where none was named
  became TEXT NOT NULL,              -- waiting, delivered, dead, dismissed, or the exit of a note
  orders INTEGER NOT NULL,
  without_amount INTEGER NOT NULL,   -- of these, those that name no amount
  millionths INTEGER NOT NULL,       -- of the currency
  largest INTEGER,                   -- the largest amount of a delivery that was ever counted here, and the delivery
  largest_id INTEGER,
  PRIMARY KEY (day, ad_account_id, preset, source, currency, became)
) STRICT, WITHOUT ROWID;

-- Counts an order that came at a moment: `sign` 1 adds it, -1 takes it away. An amount of more than ten digits is none.
CREATE VIEW earned AS
SELECT NULL AS at, NULL AS ad_account_id, NULL AS preset, NULL AS source, NULL AS currency, NULL AS became, NULL AS sign,
       NULL AS amount, NULL AS id;
CREATE TRIGGER count_order INSTEAD OF INSERT ON earned BEGIN
  INSERT INTO revenue
  SELECT CAST(new.at / 86400 AS INTEGER), coalesce(new.ad_account_id, ''), coalesce(new.preset, ''), new.source,
         coalesce(new.currency, ''), new.became, new.sign, new.sign * (worth IS NULL), new.sign * coalesce(worth, 0),
         CASE WHEN new.sign = 1 AND new.id IS NOT NULL THEN worth END,
         CASE WHEN new.sign = 1 AND worth IS NOT NULL THEN new.id END
  FROM (SELECT CASE
    WHEN new.amount GLOB '[0-9]*' AND NOT new.amount GLOB '*[^0-9.]*' AND NOT new.amount GLOB '*.*.*'
         AND instr(new.amount || '.', '.') <= 11
    THEN CAST(substr(new.amount, 1, instr(new.amount || '.', '.') - 1) AS INTEGER) * 1000000
       + CAST(substr(substr(new.amount, instr(new.amount || '.', '.') + 1) || '000000', 1, 6) AS INTEGER)
  END AS worth)
  WHERE true
  ON CONFLICT DO UPDATE SET
    orders = orders + excluded.orders,
    without_amount = without_amount + excluded.without_amount,
    -- beyond 64 bits a sum would be a float, which the column refuses
    millionths = max(min(millionths + excluded.millionths, 9000000000000000000), -9000000000000000000),
    largest_id = CASE WHEN excluded.largest > coalesce(largest, -1) THEN excluded.largest_id ELSE largest_id END,
    largest = CASE WHEN excluded.largest > coalesce(largest, -1) THEN excluded.largest ELSE largest END;
END;

CREATE TRIGGER order_enters AFTER INSERT ON delivery WHEN new.event_name = 'checkout' BEGIN
  INSERT INTO earned VALUES (
    new.enqueued_at, new.ad_account_id, new.preset, new.source, new.currency,
    CASE WHEN new.state IN ('pending', 'claimed') THEN 'waiting' ELSE new.state END, 1, new.amount, new.id);
END;
CREATE TRIGGER order_moves AFTER UPDATE OF state ON delivery
WHEN new.event_name = 'checkout' AND old.state <> new.state
     AND NOT (old.state IN ('pending', 'claimed') AND new.state IN ('pending', 'claimed')) BEGIN
  INSERT INTO earned VALUES (
    old.enqueued_at, old.ad_account_id, old.preset, old.source, old.currency,
    CASE WHEN old.state IN ('pending', 'claimed') THEN 'waiting' ELSE old.state END, -1, old.amount, old.id);
  INSERT INTO earned VALUES (
    new.enqueued_at, new.ad_account_id, new.preset, new.source, new.currency,
    CASE WHEN new.state IN ('pending', 'claimed') THEN 'waiting' ELSE new.state END, 1, new.amount, new.id);
END;
CREATE TRIGGER order_noted AFTER INSERT ON note WHEN new.event_name = 'checkout' OR new.order_id IS NOT NULL BEGIN
  INSERT INTO earned VALUES (
    new.at, new.ad_account_id, new.preset, new.source, new.currency, new.exit, 1, new.amount, NULL);
END;

INSERT INTO earned
SELECT enqueued_at, ad_account_id, preset, source, currency,
       CASE WHEN state IN ('pending', 'claimed') THEN 'waiting' ELSE state END, 1, amount, id
FROM delivery WHERE event_name = 'checkout';
INSERT INTO earned
SELECT at, ad_account_id, preset, source, currency, exit, 1, amount, NULL
FROM note WHERE event_name = 'checkout' OR order_id IS NOT NULL;
