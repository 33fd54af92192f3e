-- What was counted since a moment until an end, as `sum_parameters` says of which sums.
  SELECT * FROM counter WHERE span_s = 60 AND start_at > :since - 60 AND start_at < :sums_from
  UNION ALL SELECT * FROM counter WHERE span_s = 3600 AND start_at > :since - 3600 AND start_at < :sums_from
  UNION ALL SELECT * FROM counter_sum WHERE span_s = :span_s AND start_at >= :sums_from AND start_at < :sums_until
  UNION ALL SELECT * FROM counter_sum WHERE span_s = 3600 AND start_at >= :sums_until AND start_at < :later_from
  UNION ALL SELECT * FROM counter WHERE span_s = 60 AND start_at >= :later_from AND start_at < :end
  UNION ALL SELECT * FROM counter WHERE span_s = 3600 AND start_at >= :later_from AND start_at < :end
