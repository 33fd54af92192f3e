-- Version 4. What orders are worth, summed by the day on which they came, so that nobody adds up a million of them.

CREATE TABLE revenue (
  day integer NOT NULL,                  -- counted from 1970 (UTC)
  ad_account_id text NOT NULL,           -- '', as the preset, of what reached none
  preset text NOT NULL,
  source text NOT NULL,
  currency text NOT NULL,                -- '' where none was named
  became text NOT NULL,                  -- waiting, delivered, dead, dismissed, or the exit of a note
  slot smallint NOT NULL,                -- of the connection: commits do not wait for each other
  orders bigint NOT NULL,
  without_amount bigint NOT NULL,        -- of these, those that name no amount
  millionths numeric NOT NULL,           -- of the currency
  largest numeric,                       -- the largest amount of a delivery that was ever counted here, and the delivery
  largest_id bigint,
  PRIMARY KEY (day, ad_account_id, preset, source, currency, became, slot)
) WITH (fillfactor = 50);

-- Counts an order that came at a moment: `sign` 1 adds it, -1 takes it away. An amount of more than ten digits is none.
CREATE VIEW earned AS
  SELECT 0::float8 AS at, '' AS ad_account_id, '' AS preset, '' AS source, '' AS currency, '' AS became, 1 AS sign,
         '' AS amount, 0::bigint AS id, 0::smallint AS slot
  WHERE false;
CREATE FUNCTION count_order() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  worth numeric := CASE WHEN new.amount ~ '^\d{1,10}(\.\d+)?$' THEN trunc(new.amount::numeric * 1000000) END;
BEGIN
  INSERT INTO revenue AS sums VALUES (
    floor(new.at / 86400), coalesce(new.ad_account_id, ''), coalesce(new.preset, ''), new.source,
    coalesce(new.currency, ''), new.became, new.slot, new.sign, CASE WHEN worth IS NULL THEN new.sign ELSE 0 END,
    new.sign * coalesce(worth, 0),
    CASE WHEN new.sign = 1 AND new.id IS NOT NULL THEN worth END,
    CASE WHEN new.sign = 1 AND worth IS NOT NULL THEN new.id END)
  ON CONFLICT (day, ad_account_id, preset, source, currency, became, slot) DO UPDATE SET
    orders = sums.orders + excluded.orders,
    without_amount = sums.without_amount + excluded.without_amount,
    millionths = sums.millionths + excluded.millionths,
    largest_id = CASE WHEN excluded.largest > coalesce(sums.largest, -1) THEN excluded.largest_id
                   ELSE sums.largest_id END,
    largest = greatest(sums.largest, excluded.largest);
  RETURN new;
END $$;
CREATE TRIGGER count_order INSTEAD OF INSERT ON earned FOR EACH ROW EXECUTE FUNCTION count_order();

INSERT INTO earned
SELECT enqueued_at, ad_account_id, preset, source, currency,
       CASE WHEN state IN ('pending', 'claimed') THEN 'waiting' ELSE state END, 1, amount, id, 0
FROM shown WHERE event_name = 'checkout';
INSERT INTO earned
SELECT at, ad_account_id, preset, source, currency, exit, 1, amount, NULL, 0
FROM note WHERE event_name = 'checkout' OR order_id IS NOT NULL;
