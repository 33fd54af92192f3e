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

INSERT INTO revenue
SELECT floor(at / 86400), coalesce(ad_account_id, ''), coalesce(preset, ''), source, coalesce(currency, ''), became, 0,
       count(*), count(*) - count(worth), coalesce(sum(worth), 0), max(worth) FILTER (WHERE id IS NOT NULL),
       (array_agg(id ORDER BY worth DESC) FILTER (WHERE id IS NOT NULL AND worth IS NOT NULL))[1]
FROM (
  SELECT enqueued_at AS at, ad_account_id, preset, source, currency,
         CASE WHEN state IN ('pending', 'claimed') THEN 'waiting' ELSE state END AS became, amount, id
  FROM shown WHERE event_name = 'checkout'
  UNION ALL
  SELECT at, ad_account_id, preset, source, currency, exit, amount, NULL
  FROM note WHERE event_name = 'checkout' OR order_id IS NOT NULL
) AS ordered, LATERAL (
  SELECT CASE WHEN amount ~ '^[0-9]{1,10}(\.[0-9]+)?$' THEN trunc(amount::numeric * 1000000) END AS worth
) AS read
GROUP BY 1, 2, 3, 4, 5, 6;
