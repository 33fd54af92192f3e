-- Attempts: those that are stored, and of a delivered delivery the last, which most often says nothing else.
  SELECT delivery_id, place, number, at, exit, status, message FROM attempt
  UNION ALL
  SELECT id, 9223372036854775807, attempts, settled_at, 'delivered', 200, '' FROM delivery
  WHERE state = 'delivered' AND NOT EXISTS (SELECT 1 FROM attempt WHERE delivery_id = id AND exit = 'delivered')
