-- Deliveries with the columns of `StoredDelivery`.
  SELECT id AS delivery_id, ad_account_id, preset, message_id, event_name, event_id, action_source, order_id, event_time,
         source, amount, currency, checkout_id, shop, name, traceparent, is_trusted, channel, buyer AS stored_buyer,
         warnings AS stored_warnings, side AS stored_side, state, reason, merged,
         attempts > 0 OR EXISTS (SELECT 1 FROM attempt WHERE attempt.delivery_id = delivery.id) AS was_tried,
         settled_at, follows,
         (SELECT body FROM payload WHERE payload.delivery_id = delivery.id AND delivery.state = 'pending') AS payload
  FROM delivery
