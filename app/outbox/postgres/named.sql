-- Count deliveries by the name of their events, of which a statement says in `moved` when they came, where they stand,
-- and by `sign` whether they come (1) or go (-1). Sorted, so that two connections of one slot never wait for each other.
    INSERT INTO name_count AS counts (name, source, day, state, slot, count)
    SELECT name, source, floor(at / 86400)::integer,
           CASE WHEN state IN ('pending', 'claimed') THEN 'waiting' ELSE state END, %(slot)s, sum(sign) FROM moved
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (name, source, day, state, slot) DO UPDATE SET count = counts.count + excluded.count
