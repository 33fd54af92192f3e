-- Version 5.

-- What was delivered may be kept for another time than what is dead.
DROP INDEX delivery_settled;
CREATE INDEX delivery_delivered ON delivery (settled_at) WHERE state = 'delivered';
CREATE INDEX delivery_died ON delivery (settled_at) WHERE state IN ('dead', 'dismissed');
-- What is dead is looked for when the same event or order is delivered.
CREATE INDEX delivery_dead_event ON delivery (event_id) WHERE state = 'dead';
CREATE INDEX delivery_dead_order ON delivery (order_id) WHERE state = 'dead' AND order_id IS NOT NULL;

-- What an order is known by: where it came from, its value and currency as sent, its checkout, its buyer.

ALTER TABLE delivery ADD COLUMN source TEXT NOT NULL DEFAULT 'default';
ALTER TABLE delivery ADD COLUMN amount TEXT;
ALTER TABLE delivery ADD COLUMN currency TEXT;
ALTER TABLE delivery ADD COLUMN checkout_id TEXT;
-- A JSON array of digests of e-mail addresses; empty where it is no checkout.
ALTER TABLE delivery ADD COLUMN buyer TEXT NOT NULL DEFAULT '[]';

ALTER TABLE note ADD COLUMN event_name TEXT;
ALTER TABLE note ADD COLUMN order_id TEXT;
ALTER TABLE note ADD COLUMN amount TEXT;
ALTER TABLE note ADD COLUMN currency TEXT;
ALTER TABLE note ADD COLUMN source TEXT NOT NULL DEFAULT 'default';

-- Only checkouts, and the notes of such, have the id of an order.
CREATE INDEX delivery_order ON delivery (shelf, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX note_order ON note (shelf, order_id) WHERE order_id IS NOT NULL;
