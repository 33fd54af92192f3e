-- Version 2: how the shop says that an order was placed.

ALTER TABLE delivery ADD COLUMN channel text NOT NULL DEFAULT '';       -- such as pos; '' if no trusted event names it
ALTER TABLE delivered ADD COLUMN channel text NOT NULL DEFAULT '';
ALTER TABLE dropped_event ADD COLUMN channel text NOT NULL DEFAULT '';

-- The sums of orders by channel.
ALTER TABLE revenue ADD COLUMN channel text NOT NULL DEFAULT '';
ALTER TABLE revenue DROP CONSTRAINT revenue_pkey;
ALTER TABLE revenue ADD PRIMARY KEY (day, ad_account_id, preset, source, channel, currency, became, slot);

-- Every delivery with its state, for those who search.
CREATE OR REPLACE VIEW shown AS
  SELECT delivery.id, delivery.ad_account_id, delivery.preset, message_id, event_name, event_id, action_source,
         order_id, event_time, state, reason, attempts, enqueued_at, due_at, NULL::float8 AS settled_at, warnings,
         source, amount, currency, checkout_id, history, name,
         hold_until IS NOT NULL AS is_held, is_proven, channel
  FROM queue JOIN delivery ON delivery.id = queue.id
  UNION ALL
  SELECT delivery.id, ad_account_id, preset, message_id, event_name, event_id, action_source,
         order_id, event_time, dead.state, reason, attempts, enqueued_at, NULL, settled_at, warnings,
         source, amount, currency, checkout_id, history, name, false, is_proven, channel
  FROM dead JOIN delivery ON delivery.id = dead.id
  UNION ALL
  SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source,
         order_id, event_time, 'delivered', '', attempts, enqueued_at, NULL, settled_at, warnings,
         source, amount, currency, checkout_id, history, name, false, is_proven, channel
  FROM delivered;
