-- Version 3.

-- 1 where the preset of a pending delivery is switched off. Such a delivery is in no index that a claim reads, so that
-- a million of them cost nothing and hide nobody; `delivery_held` leads back to them when the preset is on again.
ALTER TABLE delivery ADD COLUMN held INTEGER NOT NULL DEFAULT 0 CHECK (held = 0 OR (held = 1 AND state = 'pending'));

DROP INDEX delivery_due;
CREATE INDEX delivery_due ON delivery (ad_account_id, retried, due_at) WHERE due_at IS NOT NULL AND held = 0;
CREATE INDEX delivery_held ON delivery (ad_account_id, preset, due_at) WHERE held = 1;
