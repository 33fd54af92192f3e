-- Version 2. The inventory: what arrives, by the name that it arrives under.

-- By hour (span_s 3600), forgotten after some days, and by day (86400).
CREATE TABLE inventory (
  span_s integer NOT NULL CHECK (span_s IN (3600, 86400)),
  counted text COLLATE "C" NOT NULL,
  start_at bigint NOT NULL,
  source text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  label text COLLATE "C" NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (span_s, counted, start_at, source, type, name, label)
);
-- To forget a name.
CREATE INDEX inventory_name ON inventory (name, type, source);
