-- Version 3. Under which name an event arrived. What an older Pinrelay took has none.

ALTER TABLE delivery ADD COLUMN name text NOT NULL DEFAULT '';
ALTER TABLE delivered ADD COLUMN name text NOT NULL DEFAULT '';
ALTER TABLE note ADD COLUMN name text NOT NULL DEFAULT '';

CREATE OR REPLACE VIEW shown AS
  SELECT delivery.id, delivery.ad_account_id, delivery.preset, message_id, event_name, event_id, action_source,
         order_id, event_time, state, reason, attempts, enqueued_at, due_at, NULL::float8 AS settled_at, warnings,
         source, amount, currency, checkout_id, history, name
  FROM line JOIN delivery ON delivery.id = line.id
  UNION ALL
  SELECT delivery.id, ad_account_id, preset, message_id, event_name, event_id, action_source,
         order_id, event_time, dead.state, reason, attempts, enqueued_at, NULL, settled_at, warnings,
         source, amount, currency, checkout_id, history, name
  FROM dead JOIN delivery ON delivery.id = dead.id
  UNION ALL
  SELECT id, ad_account_id, preset, message_id, event_name, event_id, action_source,
         order_id, event_time, 'delivered', '', attempts, enqueued_at, NULL, settled_at, warnings,
         source, amount, currency, checkout_id, history, name
  FROM delivered;
