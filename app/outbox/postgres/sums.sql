-- Count orders, of which a statement says in `ordered` when they came, where they stand, and by `sign` whether they come
-- (1) or go (-1). An amount of more than ten digits is none. 18 characters hold these and the millionths: to find where
-- they end by a pattern took most of the time. Sorted, so that two connections of one slot never wait for each other.
    INSERT INTO revenue AS sums (day, ad_account_id, preset, source, channel, currency, became, slot, orders, without_amount,
                                 millionths, largest, largest_id)
    SELECT floor(at / 86400)::integer, coalesce(ad_account_id, ''), coalesce(preset, ''), source, channel,
           coalesce(currency, ''),           became, %(slot)s, sum(sign), sum(CASE WHEN worth IS NULL THEN sign ELSE 0 END), sum(sign * coalesce(worth, 0)),
           max(worth) FILTER (WHERE sign = 1 AND id IS NOT NULL),
           (array_agg(id ORDER BY worth DESC) FILTER (WHERE sign = 1 AND id IS NOT NULL AND worth IS NOT NULL))[1]
    FROM ordered, LATERAL (
      SELECT CASE WHEN amount ~ '^[0-9]{1,10}(\.[0-9]*)?$'
               THEN trunc(left(amount, 18)::numeric * 1000000) END AS worth
    ) AS read
    GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
    ON CONFLICT (day, ad_account_id, preset, source, channel, currency, became, slot) DO UPDATE SET
      orders = sums.orders + excluded.orders,
      without_amount = sums.without_amount + excluded.without_amount,
      millionths = sums.millionths + excluded.millionths,
      largest_id = CASE WHEN excluded.largest > coalesce(sums.largest, -1) THEN excluded.largest_id
                     ELSE sums.largest_id END,
      largest = greatest(sums.largest, excluded.largest)
