  -- What is set aside is left out, and all but some where it is found out which of them are refused.
  AND id NOT IN (SELECT CAST(substr(key, 20) AS INTEGER) FROM shared
                 WHERE key >= 'set-aside/delivery/' AND key < 'set-aside/delivery0')
  AND (:only IS NULL OR id IN (SELECT value FROM json_each(:only)))
