  -- What is set aside is left out, and all but some where it is found out which of them are refused.
  AND id <> ALL (ARRAY(SELECT substr(key, 20)::bigint FROM shared
                       WHERE key >= 'set-aside/delivery/' AND key < 'set-aside/delivery0'))
  AND (%(only)s::bigint[] IS NULL OR id = ANY (%(only)s::bigint[]))
