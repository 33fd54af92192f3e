-- Deliveries with the columns of `StoredDelivery`. The table `delivered` has no shop, trace, buyer and order side.
  SELECT delivery.id AS delivery_id, delivery.ad_account_id, delivery.preset, message_id, event_name, event_id,
         action_source, order_id, event_time, source, amount, currency, checkout_id, shop, name, traceparent, is_trusted, channel,
         buyer AS stored_buyer, warnings AS stored_warnings, side AS stored_side, state, reason, delivery.merged,
         attempts > 0 OR history IS NOT NULL AS was_tried, NULL::float8 AS settled_at, follows,
         CASE state WHEN 'pending' THEN payload END AS payload
  FROM queue JOIN delivery ON delivery.id = queue.id
  UNION ALL
  SELECT delivery.id, ad_account_id, preset, message_id, event_name, event_id,
         action_source, order_id, event_time, source, amount, currency, checkout_id, shop, name, traceparent, is_trusted, channel,
         buyer, warnings, side, state, reason, merged, true, settled_at, NULL, NULL
  FROM dead JOIN delivery ON delivery.id = dead.id
  UNION ALL
  SELECT id, ad_account_id, preset, message_id, event_name, event_id,
         action_source, order_id, event_time, source, amount, currency, checkout_id, '', name, NULL, is_trusted, channel,
         '[]', warnings, NULL, 'delivered', '', 0, true, settled_at, NULL, NULL
  FROM delivered
