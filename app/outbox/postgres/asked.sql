-- Whether a delivery, with what `shown` has of it, is one that a search asks for.
    id < %(before)s::bigint AND id >= %(floor)s::bigint
    AND (%(delivery_id)s::bigint IS NULL OR id = %(delivery_id)s::bigint)
    AND (%(message_id)s::text IS NULL OR message_id = %(message_id)s::text)
    AND (%(event_id)s::text IS NULL OR (event_id = %(event_id)s::text AND event_id <> message_id)
         OR (message_id = %(event_id)s::text AND event_id = message_id))
    AND (%(order_id)s::text IS NULL OR order_id = %(order_id)s::text)
    AND (%(ad_account_id)s::text IS NULL OR ad_account_id = %(ad_account_id)s::text)
    AND (%(preset)s::text IS NULL OR preset = %(preset)s::text)
    AND coalesce(%(taken)s::boolean, true)
    AND (%(event_name)s::text IS NULL OR event_name = %(event_name)s::text)
    AND (%(name)s::text IS NULL OR name = %(name)s::text)
    AND (%(source)s::text IS NULL OR source = %(source)s::text)
    AND (%(channel)s::text IS NULL OR channel = %(channel)s::text)
    AND (%(currency)s::text IS NULL OR coalesce(currency, '') = %(currency)s::text)
    AND (%(is_order)s::boolean IS NULL OR (event_name = 'checkout') = %(is_order)s::boolean)
    AND (%(state)s::text IS NULL OR state = %(state)s::text
         OR (%(state)s::text = 'waiting' AND state IN ('pending', 'claimed')))
    AND (%(reason)s::text IS NULL OR strpos(lower(reason COLLATE "C"), lower(%(reason)s::text COLLATE "C")) > 0)
    AND (%(cause)s::text IS NULL OR split_part(reason, '; not redriven:', 1) = %(cause)s::text)
    AND (%(happened_since)s::float8 IS NULL OR event_time >= %(happened_since)s::float8)
    AND (%(warning)s::text IS NULL OR EXISTS (
          SELECT FROM jsonb_array_elements(warnings::jsonb) AS told
          WHERE jsonb_typeof(told) = 'string' AND strpos(lower((told #>> '{}') COLLATE "C"), lower(%(warning)s::text COLLATE "C")) > 0))
    AND (%(person)s::text[] IS NULL OR EXISTS (
          SELECT FROM unnest(%(person)s::text[]) AS digest
          WHERE position(convert_to(digest, 'UTF8') IN coalesce(
            (SELECT payload FROM delivery AS waiting (waiting_id) WHERE waiting_id = id),
            (SELECT body FROM kept_payload AS kept (kept_id) WHERE kept_id = id))) > 0))
    AND CASE WHEN %(tried)s::text IS NULL AND %(status)s::integer IS NULL
          THEN enqueued_at >= %(since)s::float8 AND enqueued_at < %(until)s::float8
          ELSE EXISTS (
            SELECT FROM jsonb_array_elements(history) AS attempt
            WHERE (%(tried)s::text IS NULL OR attempt ->> 2 = %(tried)s::text)
              AND (%(status)s::integer IS NULL OR (attempt ->> 3)::integer = %(status)s::integer)
              AND (attempt ->> 1)::float8 >= %(since)s::float8 AND (attempt ->> 1)::float8 < %(until)s::float8)
        END
