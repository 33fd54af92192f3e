-- The shelves on which an id may lie: the first of each range whose filter knows it and its others, and all behind them.
WITH RECURSIVE shelf (n) AS (
  SELECT id_range << 4 FROM id_filter WHERE bucket = :bucket AND instr(fingerprints, :fingerprint) > 0
  UNION ALL
  SELECT coalesce((SELECT max(id_range) + 1 FROM id_filter WHERE bucket = :bucket) << 4, min(id) >> 11) FROM delivery
  UNION ALL
  SELECT n + 1 FROM shelf
  WHERE n < (SELECT max(id) >> 11 FROM delivery)
    AND ((n + 1) & 15 <> 0
         OR n >= coalesce((SELECT max(id_range) + 1 FROM id_filter WHERE bucket = :bucket) << 4, 0))
)
