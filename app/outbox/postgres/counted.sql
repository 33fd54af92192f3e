-- What was counted since a moment until an end, as `sum_parameters` says of which sums.
  SELECT start_at, name, preset, label, ad_account_id, source, count FROM counter_minute
  WHERE start_at > floor(%(since)s::float8 - 60)::bigint AND start_at < %(sums_from)s::bigint
  UNION ALL
  SELECT start_at, name, preset, label, ad_account_id, source, count FROM counter_hour
  WHERE start_at > floor(%(since)s::float8 - 3600)::bigint AND start_at < %(sums_from)s::bigint
  UNION ALL
  SELECT start_at, name, preset, label, ad_account_id, source, count FROM counter_sum
  WHERE span_s = %(span_s)s AND start_at >= %(sums_from)s::bigint AND start_at < %(sums_until)s::bigint
  UNION ALL
  SELECT start_at, name, preset, label, ad_account_id, source, count FROM counter_sum
  WHERE span_s = 3600 AND start_at >= %(sums_until)s::bigint AND start_at < %(later_from)s::bigint
  UNION ALL
  SELECT start_at, name, preset, label, ad_account_id, source, count FROM counter_minute
  WHERE start_at >= %(later_from)s::bigint AND start_at < %(end)s::bigint
  UNION ALL
  SELECT start_at, name, preset, label, ad_account_id, source, count FROM counter_hour
  WHERE start_at >= %(later_from)s::bigint AND start_at < %(end)s::bigint
