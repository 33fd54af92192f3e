-- Version 15. An id is looked for on the shelves that may hold it, not on every one.

-- What lies on 16 shelves, a part: fingerprints of the ids of its deliveries, in 512 buckets by their hash. They are made
-- once, when the next part has begun. A part that has none holds no delivery, but for those behind the last that has.
CREATE TABLE id_filter (
  bucket INTEGER NOT NULL CHECK (bucket BETWEEN 0 AND 511),
  part INTEGER NOT NULL,             -- of a delivery: its id >> 15
  fingerprints BLOB NOT NULL,        -- of 3 bytes each
  PRIMARY KEY (bucket, part)
) STRICT, WITHOUT ROWID;
