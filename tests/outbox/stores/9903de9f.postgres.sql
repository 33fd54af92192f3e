SELECT pg_catalog.set_config('search_path', '', false);
CREATE FUNCTION public.time_id_ranges() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  INSERT INTO id_range (id_range, slot, latest_at)
  SELECT id >> 12, pg_backend_pid() & 32767, max(enqueued_at) FROM entering GROUP BY 1 ORDER BY 1
  ON CONFLICT (id_range, slot) DO UPDATE SET latest_at = greatest(id_range.latest_at, excluded.latest_at);
  RETURN NULL;
END
$$;
CREATE FUNCTION public.write_consents(groups json) RETURNS TABLE(key text, said_by text)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
  rows json;
  lifted json;
  yes_at float8;
  yes_by text;
  yes_user text;
  yes_proven boolean;
BEGIN
  FOR rows IN SELECT value FROM json_array_elements(groups) LOOP
    lifted := NULL;
    IF NOT (rows -> 0 ->> 5)::boolean THEN
      yes_by := rows -> 0 ->> 1;
      yes_proven := rows -> 0 ->> 2;
      yes_user := rows -> 0 ->> 3;
      yes_at := rows -> 0 ->> 7;
      SELECT json_agg(json_build_array(no.key, no.said_by, no.is_proven)) INTO lifted FROM (
        SELECT key, said_by, is_proven FROM consent
        WHERE is_no AND at < yes_at AND (yes_proven OR NOT is_proven) AND (key, said_by, is_proven) IN (
          SELECT key, said_by, is_proven FROM consent WHERE is_no AND said_by = yes_by AND said_by <> ''
          UNION ALL
          SELECT key, said_by, is_proven FROM consent
          WHERE is_no AND user_key = yes_user AND user_key <> '' AND (yes_proven OR NOT for_proven)
          UNION ALL
          SELECT key, said_by, is_proven FROM consent WHERE is_no AND key = yes_user AND (yes_proven OR NOT for_proven)
        ) ORDER BY key, said_by, is_proven FOR UPDATE
      ) AS no;
    END IF;
    INSERT INTO consent (key, said_by, is_proven, user_key, for_proven, is_no, kind, at, total, source)
    SELECT row ->> 0, row ->> 1, (row ->> 2)::boolean, row ->> 3, (row ->> 4)::boolean, (row ->> 5)::boolean, row ->> 6,
           (row ->> 7)::float8, row ->> 8, row ->> 9
    FROM json_array_elements(rows) AS row ORDER BY 1, 2, 3
    ON CONFLICT (key, said_by, is_proven) DO UPDATE SET
      user_key = excluded.user_key, for_proven = excluded.for_proven OR (consent.for_proven AND excluded.is_no),
      is_no = excluded.is_no,
      kind = CASE WHEN consent.is_no AND excluded.is_no AND (consent.kind = 'category' OR excluded.kind = 'device')
                  THEN consent.kind ELSE excluded.kind END,
      at = excluded.at, total = excluded.total, source = excluded.source,
      turn = CASE WHEN consent.is_no = excluded.is_no AND (consent.kind = excluded.kind OR consent.kind = 'category')
                  THEN consent.turn ELSE excluded.turn END
    WHERE excluded.at > consent.at
       OR (excluded.at = consent.at AND excluded.is_no AND (NOT consent.is_no OR excluded.for_proven > consent.for_proven));
    IF lifted IS NOT NULL THEN
      UPDATE consent AS no SET is_no = false, at = yes_at, turn = pg_current_xact_id()
      FROM json_array_elements(lifted) AS row
      WHERE no.is_no AND no.at < yes_at
        AND no.key = row ->> 0 AND no.said_by = row ->> 1 AND no.is_proven = (row ->> 2)::boolean;
      RETURN QUERY SELECT row ->> 0, row ->> 1 FROM json_array_elements(lifted) AS row;
    END IF;
  END LOOP;
END $$;
CREATE SEQUENCE public.audit_id
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.audit (
    id bigint DEFAULT nextval('public.audit_id'::regclass) NOT NULL,
    at double precision NOT NULL,
    who text NOT NULL,
    place text NOT NULL,
    what text NOT NULL,
    target text NOT NULL,
    was text NOT NULL,
    became text NOT NULL
);
CREATE TABLE public.backlog (
    ad_account_id text NOT NULL,
    state text NOT NULL,
    slot smallint NOT NULL,
    count bigint NOT NULL,
    bytes bigint DEFAULT 0 NOT NULL,
    CONSTRAINT backlog_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'claimed'::text, 'dead'::text, 'dismissed'::text])))
)
WITH (fillfactor='50');
CREATE TABLE public.consent (
    key text NOT NULL COLLATE pg_catalog."C",
    said_by text NOT NULL COLLATE pg_catalog."C",
    is_proven boolean NOT NULL,
    user_key text NOT NULL COLLATE pg_catalog."C",
    for_proven boolean NOT NULL,
    is_no boolean NOT NULL,
    kind text NOT NULL,
    at double precision NOT NULL,
    total text NOT NULL,
    source text NOT NULL,
    turn xid8 DEFAULT pg_current_xact_id() NOT NULL
);
CREATE TABLE public.counter_hour (
    start_at bigint NOT NULL,
    name text NOT NULL,
    preset text NOT NULL,
    label text NOT NULL,
    ad_account_id text NOT NULL,
    source text NOT NULL,
    slot smallint NOT NULL,
    count bigint NOT NULL
)
PARTITION BY RANGE (start_at);
CREATE TABLE public.counter_hour_20261202 (
    start_at bigint NOT NULL,
    name text NOT NULL,
    preset text NOT NULL,
    label text NOT NULL,
    ad_account_id text NOT NULL,
    source text NOT NULL,
    slot smallint NOT NULL,
    count bigint NOT NULL
);
CREATE TABLE public.counter_minute (
    start_at bigint NOT NULL,
    name text NOT NULL,
    preset text NOT NULL,
    label text NOT NULL,
    ad_account_id text NOT NULL,
    source text NOT NULL,
    slot smallint NOT NULL,
    count bigint NOT NULL
)
PARTITION BY RANGE (start_at);
CREATE TABLE public.counter_minute_20261202 (
    start_at bigint NOT NULL,
    name text NOT NULL,
    preset text NOT NULL,
    label text NOT NULL,
    ad_account_id text NOT NULL,
    source text NOT NULL,
    slot smallint NOT NULL,
    count bigint NOT NULL
);
CREATE TABLE public.counter_sum (
    span_s integer NOT NULL,
    start_at bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    preset text NOT NULL COLLATE pg_catalog."C",
    label text NOT NULL COLLATE pg_catalog."C",
    ad_account_id text NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL COLLATE pg_catalog."C",
    count bigint NOT NULL,
    CONSTRAINT counter_sum_span_s_check CHECK ((span_s = ANY (ARRAY[3600, 21600, 86400])))
);
CREATE TABLE public.dead (
    id bigint NOT NULL,
    state text DEFAULT 'dead'::text NOT NULL,
    attempts integer NOT NULL,
    enqueued_at double precision NOT NULL,
    settled_at double precision NOT NULL,
    reason text NOT NULL,
    history jsonb,
    CONSTRAINT dead_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT dead_state_check CHECK ((state = ANY (ARRAY['dead'::text, 'dismissed'::text])))
);
CREATE TABLE public.dedup_key (
    digest text NOT NULL COLLATE pg_catalog."C",
    place smallint DEFAULT 0 NOT NULL,
    delivery_id bigint NOT NULL,
    expires_at double precision NOT NULL,
    known text,
    is_proven boolean DEFAULT false NOT NULL,
    learned boolean DEFAULT false NOT NULL,
    CONSTRAINT dedup_key_place_check CHECK ((place >= 0))
);
CREATE TABLE public.delivered (
    id bigint NOT NULL,
    ad_account_id text NOT NULL,
    preset text NOT NULL,
    message_id text NOT NULL COLLATE pg_catalog."C",
    event_name text NOT NULL,
    event_id text NOT NULL COLLATE pg_catalog."C",
    action_source text NOT NULL,
    order_id text,
    event_time bigint NOT NULL,
    warnings text NOT NULL,
    source text NOT NULL,
    name text NOT NULL,
    amount text,
    currency text,
    checkout_id text,
    is_proven boolean NOT NULL,
    owner text COLLATE pg_catalog."C",
    attempts integer NOT NULL,
    enqueued_at double precision NOT NULL,
    settled_at double precision NOT NULL,
    history jsonb,
    CONSTRAINT delivered_attempts_check CHECK ((attempts >= 0))
)
PARTITION BY RANGE (settled_at);
CREATE TABLE public.delivered_20261202 (
    id bigint NOT NULL,
    ad_account_id text NOT NULL,
    preset text NOT NULL,
    message_id text NOT NULL COLLATE pg_catalog."C",
    event_name text NOT NULL,
    event_id text NOT NULL COLLATE pg_catalog."C",
    action_source text NOT NULL,
    order_id text,
    event_time bigint NOT NULL,
    warnings text NOT NULL,
    source text NOT NULL,
    name text NOT NULL,
    amount text,
    currency text,
    checkout_id text,
    is_proven boolean NOT NULL,
    owner text COLLATE pg_catalog."C",
    attempts integer NOT NULL,
    enqueued_at double precision NOT NULL,
    settled_at double precision NOT NULL,
    history jsonb,
    CONSTRAINT delivered_attempts_check CHECK ((attempts >= 0))
);
CREATE TABLE public.delivery (
    id bigint NOT NULL,
    ad_account_id text NOT NULL,
    preset text NOT NULL,
    message_id text NOT NULL COLLATE pg_catalog."C",
    event_name text NOT NULL,
    event_id text NOT NULL COLLATE pg_catalog."C",
    action_source text NOT NULL,
    order_id text,
    event_time bigint NOT NULL,
    warnings text NOT NULL,
    traceparent text,
    source text NOT NULL,
    name text NOT NULL,
    amount text,
    currency text,
    checkout_id text,
    buyer text NOT NULL,
    is_proven boolean NOT NULL,
    shop text NOT NULL,
    side text,
    owner text COLLATE pg_catalog."C",
    merged integer DEFAULT 0 NOT NULL,
    payload_version smallint NOT NULL,
    payload bytea NOT NULL,
    CONSTRAINT delivery_payload_version_check CHECK ((payload_version > 0))
)
WITH (toast_tuple_target='8160');
ALTER TABLE ONLY public.delivery ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE SEQUENCE public.delivery_id
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.delivery_owner (
    id bigint NOT NULL,
    message_id text NOT NULL COLLATE pg_catalog."C",
    owner text NOT NULL COLLATE pg_catalog."C",
    at double precision NOT NULL
);
ALTER TABLE public.delivery_owner ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.delivery_owner_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.dropped_event_id
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.dropped_event (
    id bigint DEFAULT nextval('public.dropped_event_id'::regclass) NOT NULL,
    message_id text NOT NULL COLLATE pg_catalog."C",
    ad_account_id text,
    preset text,
    exit text NOT NULL,
    reason text NOT NULL,
    warnings text NOT NULL,
    event_name text,
    order_id text,
    amount text,
    currency text,
    source text NOT NULL,
    name text NOT NULL,
    is_proven boolean NOT NULL,
    was_enqueued boolean DEFAULT false NOT NULL,
    at double precision NOT NULL
)
PARTITION BY RANGE (at);
CREATE TABLE public.dropped_event_20261202 (
    id bigint DEFAULT nextval('public.dropped_event_id'::regclass) NOT NULL,
    message_id text NOT NULL COLLATE pg_catalog."C",
    ad_account_id text,
    preset text,
    exit text NOT NULL,
    reason text NOT NULL,
    warnings text NOT NULL,
    event_name text,
    order_id text,
    amount text,
    currency text,
    source text NOT NULL,
    name text NOT NULL,
    is_proven boolean NOT NULL,
    was_enqueued boolean DEFAULT false NOT NULL,
    at double precision NOT NULL
);
CREATE TABLE public.id_range (
    id_range bigint NOT NULL,
    slot smallint NOT NULL,
    latest_at double precision NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.inventory (
    span_s integer NOT NULL,
    counted text NOT NULL COLLATE pg_catalog."C",
    start_at bigint NOT NULL,
    source text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    label text NOT NULL COLLATE pg_catalog."C",
    count bigint NOT NULL,
    CONSTRAINT inventory_span_s_check CHECK ((span_s = ANY (ARRAY[3600, 86400])))
);
CREATE TABLE public.kept_payload (
    id bigint NOT NULL,
    body bytea NOT NULL,
    erase_at double precision NOT NULL
);
CREATE TABLE public.memory_hour (
    key text NOT NULL COLLATE pg_catalog."C",
    hour bigint NOT NULL,
    slot smallint NOT NULL,
    people bigint NOT NULL,
    suppressions bigint NOT NULL
);
CREATE TABLE public.memory_size (
    kind text NOT NULL,
    slot smallint NOT NULL,
    count bigint NOT NULL
);
CREATE TABLE public.queue (
    id bigint NOT NULL,
    ad_account_id text NOT NULL,
    preset text NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    held boolean DEFAULT false NOT NULL,
    hold_until double precision,
    follows bigint,
    merged integer DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    retried boolean GENERATED ALWAYS AS ((attempts > 0)) STORED,
    payload_bytes integer NOT NULL,
    enqueued_at double precision NOT NULL,
    due_at double precision NOT NULL,
    claim text,
    reason text DEFAULT ''::text NOT NULL,
    history jsonb,
    CONSTRAINT queue_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT queue_check CHECK (((NOT held) OR (state = 'pending'::text))),
    CONSTRAINT queue_check1 CHECK (((hold_until IS NULL) OR (state = 'pending'::text))),
    CONSTRAINT queue_check2 CHECK (((follows IS NULL) OR (state = 'pending'::text))),
    CONSTRAINT queue_check3 CHECK (((state = 'claimed'::text) = (claim IS NOT NULL))),
    CONSTRAINT queue_check4 CHECK (((state <> 'claimed'::text) OR (attempts > 0))),
    CONSTRAINT queue_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'claimed'::text])))
);
CREATE VIEW public.message_owner AS
 SELECT delivery_owner.id,
    NULL::bigint AS delivery_id,
    delivery_owner.message_id,
    delivery_owner.owner,
    delivery_owner.at
   FROM public.delivery_owner
UNION ALL
 SELECT delivery.id,
    delivery.id AS delivery_id,
    delivery.message_id,
    delivery.owner,
    COALESCE(queue.enqueued_at, dead.enqueued_at) AS at
   FROM ((public.delivery
     LEFT JOIN public.queue USING (id))
     LEFT JOIN public.dead USING (id))
  WHERE (delivery.owner IS NOT NULL)
UNION ALL
 SELECT delivered.id,
    delivered.id AS delivery_id,
    delivered.message_id,
    delivered.owner,
    delivered.enqueued_at AS at
   FROM public.delivered
  WHERE (delivered.owner IS NOT NULL);
CREATE TABLE public.name_count (
    name text NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL COLLATE pg_catalog."C",
    day integer NOT NULL,
    state text NOT NULL COLLATE pg_catalog."C",
    slot smallint NOT NULL,
    count bigint NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.person (
    key text NOT NULL COLLATE pg_catalog."C",
    linked_to text COLLATE pg_catalog."C",
    linked_at double precision,
    seen_at double precision NOT NULL,
    stale_at double precision,
    revision bigint NOT NULL,
    record text NOT NULL,
    trust smallint GENERATED ALWAYS AS (
CASE
    WHEN (record ~ '"link": *\{[^{}]*"is_proven": *true'::text) THEN 2
    WHEN (record ~ '"is_proven": *true'::text) THEN 1
    ELSE 0
END) STORED NOT NULL,
    CONSTRAINT person_revision_check CHECK ((revision > 0))
);
CREATE TABLE public.probe (
    slot smallint NOT NULL,
    count bigint NOT NULL
);
CREATE TABLE public.quarantined (
    id bigint NOT NULL,
    at double precision NOT NULL,
    ends_at double precision NOT NULL,
    source text NOT NULL,
    is_proven boolean NOT NULL,
    name text NOT NULL,
    exit text NOT NULL,
    reason text NOT NULL,
    message_id text NOT NULL COLLATE pg_catalog."C",
    keys text NOT NULL,
    sealed text NOT NULL
);
ALTER TABLE public.quarantined ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.quarantined_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.revenue (
    day integer NOT NULL,
    ad_account_id text NOT NULL,
    preset text NOT NULL,
    source text NOT NULL,
    currency text NOT NULL,
    became text NOT NULL,
    slot smallint NOT NULL,
    orders bigint NOT NULL,
    without_amount bigint NOT NULL,
    millionths numeric NOT NULL,
    largest numeric,
    largest_id bigint
)
WITH (fillfactor='50');
CREATE TABLE public.session (
    digest text NOT NULL COLLATE pg_catalog."C",
    who text NOT NULL,
    seal text NOT NULL,
    ends_at double precision NOT NULL
);
CREATE TABLE public.shared (
    key text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL,
    revision bigint NOT NULL,
    CONSTRAINT shared_revision_check CHECK ((revision > 0))
);
CREATE VIEW public.shown AS
 SELECT delivery.id,
    delivery.ad_account_id,
    delivery.preset,
    delivery.message_id,
    delivery.event_name,
    delivery.event_id,
    delivery.action_source,
    delivery.order_id,
    delivery.event_time,
    queue.state,
    queue.reason,
    queue.attempts,
    queue.enqueued_at,
    queue.due_at,
    NULL::double precision AS settled_at,
    delivery.warnings,
    delivery.source,
    delivery.amount,
    delivery.currency,
    delivery.checkout_id,
    queue.history,
    delivery.name,
    (queue.hold_until IS NOT NULL) AS is_held,
    delivery.is_proven
   FROM (public.queue
     JOIN public.delivery ON ((delivery.id = queue.id)))
UNION ALL
 SELECT delivery.id,
    delivery.ad_account_id,
    delivery.preset,
    delivery.message_id,
    delivery.event_name,
    delivery.event_id,
    delivery.action_source,
    delivery.order_id,
    delivery.event_time,
    dead.state,
    dead.reason,
    dead.attempts,
    dead.enqueued_at,
    NULL::double precision AS due_at,
    dead.settled_at,
    delivery.warnings,
    delivery.source,
    delivery.amount,
    delivery.currency,
    delivery.checkout_id,
    dead.history,
    delivery.name,
    false AS is_held,
    delivery.is_proven
   FROM (public.dead
     JOIN public.delivery ON ((delivery.id = dead.id)))
UNION ALL
 SELECT delivered.id,
    delivered.ad_account_id,
    delivered.preset,
    delivered.message_id,
    delivered.event_name,
    delivered.event_id,
    delivered.action_source,
    delivered.order_id,
    delivered.event_time,
    'delivered'::text AS state,
    ''::text AS reason,
    delivered.attempts,
    delivered.enqueued_at,
    NULL::double precision AS due_at,
    delivered.settled_at,
    delivered.warnings,
    delivered.source,
    delivered.amount,
    delivered.currency,
    delivered.checkout_id,
    delivered.history,
    delivered.name,
    false AS is_held,
    delivered.is_proven
   FROM public.delivered;
CREATE TABLE public.store_version (
    identity integer NOT NULL,
    version integer NOT NULL,
    CONSTRAINT store_version_version_check CHECK ((version > 0))
);
CREATE TABLE public.suppression (
    key text NOT NULL COLLATE pg_catalog."C",
    record text NOT NULL,
    ends_at double precision GENERATED ALWAYS AS ((((record)::json ->> 'ends_at'::text))::double precision) STORED,
    is_public boolean GENERATED ALWAYS AS ((strpos(record, '"is_proven":true'::text) = 0)) STORED NOT NULL
);
ALTER TABLE ONLY public.counter_hour ATTACH PARTITION public.counter_hour_20261202 FOR VALUES FROM ('1796169600') TO ('1796256000');
ALTER TABLE ONLY public.counter_minute ATTACH PARTITION public.counter_minute_20261202 FOR VALUES FROM ('1796169600') TO ('1796256000');
ALTER TABLE ONLY public.delivered ATTACH PARTITION public.delivered_20261202 FOR VALUES FROM ('1796169600') TO ('1796256000');
ALTER TABLE ONLY public.dropped_event ATTACH PARTITION public.dropped_event_20261202 FOR VALUES FROM ('1796169600') TO ('1796256000');
INSERT INTO public.audit VALUES (1, 1796244720.7308118, 'operator (command line)', 'host', 'imported events', '1 file', '', '2 enqueued, 1 invalid');
INSERT INTO public.backlog VALUES ('1000000000001', 'pending', 0, 2, 418);
INSERT INTO public.counter_minute_20261202 VALUES (1796244720, 'accepted', '', '', '', 'default', 0, 3);
INSERT INTO public.counter_minute_20261202 VALUES (1796244720, 'enqueued', 'Order Completed', '', '1000000000001', 'default', 0, 1);
INSERT INTO public.counter_minute_20261202 VALUES (1796244720, 'enqueued', 'Sign Up', '', '1000000000001', 'default', 0, 1);
INSERT INTO public.counter_minute_20261202 VALUES (1796244720, 'invalid', 'Page Visit', 'user_data needs at least one of em (email), hashed_maids, or client_ip_address together with client_user_agent', '1000000000001', 'default', 0, 1);
INSERT INTO public.counter_minute_20261202 VALUES (1796244720, 'matched', 'Order Completed', '', '1000000000001', 'default', 0, 1);
INSERT INTO public.counter_minute_20261202 VALUES (1796244720, 'matched', 'Page Visit', '', '1000000000001', 'default', 0, 1);
INSERT INTO public.counter_minute_20261202 VALUES (1796244720, 'matched', 'Sign Up', '', '1000000000001', 'default', 0, 1);
INSERT INTO public.counter_minute_20261202 VALUES (1796244720, 'quality', 'Order Completed', 'external_event_id', '1000000000001', 'default', 0, 1);
INSERT INTO public.counter_minute_20261202 VALUES (1796244720, 'quality', 'Order Completed', 'hashed_email', '1000000000001', 'default', 0, 1);
INSERT INTO public.counter_minute_20261202 VALUES (1796244720, 'quality', 'Order Completed', 'order_id', '1000000000001', 'default', 0, 1);
INSERT INTO public.counter_minute_20261202 VALUES (1796244720, 'quality', 'Order Completed', 'order_value', '1000000000001', 'default', 0, 1);
INSERT INTO public.counter_minute_20261202 VALUES (1796244720, 'quality', 'Sign Up', 'external_event_id', '1000000000001', 'default', 0, 1);
INSERT INTO public.counter_minute_20261202 VALUES (1796244720, 'quality', 'Sign Up', 'hashed_email', '1000000000001', 'default', 0, 1);
INSERT INTO public.dedup_key VALUES ('81d9nGaPYiD10mGRkeAu', 0, 2, 1796849520.6175365, '"default"', true, false);
INSERT INTO public.dedup_key VALUES ('82odQYXGUrYxnLbH2Q39', 0, 1, 1796849520.6175365, '"default"', true, false);
INSERT INTO public.dedup_key VALUES ('dg4hlr5hd2IFJlIJP/LR', 0, 1, 1798836720.6175365, '["SO-1",["b5fc85e55755f9e0d030a10ab4429b6b"],"20","USD"]', true, false);
INSERT INTO public.delivery VALUES (1, '1000000000001', 'Order Completed', 'old-1', 'checkout', 'old-1', 'web', 'SO-1', 1796244718, '[]', NULL, 'default', 'Order Completed', '20', 'USD', NULL, '["b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72"]', true, '', NULL, '                                1b5fc85e55755f9e0', 0, 1, '\x7b226576656e745f6e616d65223a22636865636b6f7574222c22616374696f6e5f736f75726365223a22776562222c226576656e745f74696d65223a313739363234343731382c226576656e745f6964223a226f6c642d31222c22757365725f64617461223a7b22656d223a5b2262356663383565353537353566396530643033306131306162343432396236623239343438353566396130643630303737666538333262656362633431643732225d7d2c22637573746f6d5f64617461223a7b226f726465725f6964223a22534f2d31222c2276616c7565223a223230222c2263757272656e6379223a22555344227d7d');
INSERT INTO public.delivery VALUES (2, '1000000000001', 'Sign Up', 'old-2', 'signup', 'old-2', 'web', NULL, 1796244718, '[]', NULL, 'default', 'Signed Up', NULL, NULL, NULL, '[]', true, '', NULL, '                                1b5fc85e55755f9e0', 0, 1, '\x7b226576656e745f6e616d65223a227369676e7570222c22616374696f6e5f736f75726365223a22776562222c226576656e745f74696d65223a313739363234343731382c226576656e745f6964223a226f6c642d32222c22757365725f64617461223a7b22656d223a5b2262356663383565353537353566396530643033306131306162343432396236623239343438353566396130643630303737666538333262656362633431643732225d7d7d');
INSERT INTO public.dropped_event_20261202 VALUES (1, 'old-3', '1000000000001', 'Page Visit', 'invalid', 'user_data needs at least one of em (email), hashed_maids, or client_ip_address together with client_user_agent', '[]', NULL, NULL, NULL, NULL, 'default', 'page', true, false, 1796244720.6175365);
INSERT INTO public.id_range VALUES (0, 5131, 1796244720.6175365);
INSERT INTO public.name_count VALUES ('Order Completed', 'default', 20789, 'waiting', 0, 1);
INSERT INTO public.name_count VALUES ('Signed Up', 'default', 20789, 'waiting', 0, 1);
INSERT INTO public.queue VALUES (1, '1000000000001', 'Order Completed', 'pending', false, NULL, NULL, 0, 0, DEFAULT, 242, 1796244720.6175365, 1796244720.6175365, NULL, '', NULL);
INSERT INTO public.queue VALUES (2, '1000000000001', 'Sign Up', 'pending', false, NULL, NULL, 0, 0, DEFAULT, 176, 1796244720.6175365, 1796244720.6175365, NULL, '', NULL);
INSERT INTO public.revenue VALUES (20789, '1000000000001', 'Order Completed', 'default', 'USD', 'waiting', 0, 1, 0, 20000000, 20000000, 1);
INSERT INTO public.shared VALUES ('secret', '"cda01f965994aa523107e9ea58415fbc56a3f33c488ff4573dc41b94d0e73905"', 1);
INSERT INTO public.shared VALUES ('import/8b38e107a64de8fb09a787e6', '{"done":3,"at":1796244720.7277741}', 1);
INSERT INTO public.store_version VALUES (1347583550, 1);
SELECT pg_catalog.setval('public.audit_id', 1, true);
SELECT pg_catalog.setval('public.delivery_id', 2, true);
SELECT pg_catalog.setval('public.delivery_owner_id_seq', 1, false);
SELECT pg_catalog.setval('public.dropped_event_id', 1, true);
SELECT pg_catalog.setval('public.quarantined_id_seq', 1, false);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.backlog
    ADD CONSTRAINT backlog_pkey PRIMARY KEY (ad_account_id, state, slot);
ALTER TABLE ONLY public.consent
    ADD CONSTRAINT consent_pkey PRIMARY KEY (key, said_by, is_proven);
ALTER TABLE ONLY public.counter_hour
    ADD CONSTRAINT counter_hour_pkey PRIMARY KEY (start_at, name, preset, label, ad_account_id, source, slot);
ALTER TABLE ONLY public.counter_hour_20261202
    ADD CONSTRAINT counter_hour_20261202_pkey PRIMARY KEY (start_at, name, preset, label, ad_account_id, source, slot);
ALTER TABLE ONLY public.counter_minute
    ADD CONSTRAINT counter_minute_pkey PRIMARY KEY (start_at, name, preset, label, ad_account_id, source, slot);
ALTER TABLE ONLY public.counter_minute_20261202
    ADD CONSTRAINT counter_minute_20261202_pkey PRIMARY KEY (start_at, name, preset, label, ad_account_id, source, slot);
ALTER TABLE ONLY public.counter_sum
    ADD CONSTRAINT counter_sum_pkey PRIMARY KEY (span_s, start_at, name, preset, label, ad_account_id, source);
ALTER TABLE ONLY public.dead
    ADD CONSTRAINT dead_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dedup_key
    ADD CONSTRAINT dedup_key_pkey PRIMARY KEY (digest, place);
ALTER TABLE ONLY public.delivery_owner
    ADD CONSTRAINT delivery_owner_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT delivery_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.id_range
    ADD CONSTRAINT id_range_pkey PRIMARY KEY (id_range, slot);
ALTER TABLE ONLY public.inventory
    ADD CONSTRAINT inventory_pkey PRIMARY KEY (span_s, counted, start_at, source, type, name, label);
ALTER TABLE ONLY public.kept_payload
    ADD CONSTRAINT kept_payload_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.memory_hour
    ADD CONSTRAINT memory_hour_pkey PRIMARY KEY (key, hour, slot);
ALTER TABLE ONLY public.memory_size
    ADD CONSTRAINT memory_size_pkey PRIMARY KEY (kind, slot);
ALTER TABLE ONLY public.name_count
    ADD CONSTRAINT name_count_pkey PRIMARY KEY (name, source, day, state, slot);
ALTER TABLE ONLY public.person
    ADD CONSTRAINT person_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.probe
    ADD CONSTRAINT probe_pkey PRIMARY KEY (slot);
ALTER TABLE ONLY public.quarantined
    ADD CONSTRAINT quarantined_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.queue
    ADD CONSTRAINT queue_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.revenue
    ADD CONSTRAINT revenue_pkey PRIMARY KEY (day, ad_account_id, preset, source, currency, became, slot);
ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.shared
    ADD CONSTRAINT shared_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.suppression
    ADD CONSTRAINT suppression_pkey PRIMARY KEY (key);
CREATE INDEX audit_at ON public.audit USING btree (at);
CREATE INDEX consent_ends ON public.consent USING btree (at) WHERE (user_key = ''::text);
CREATE INDEX consent_said_by ON public.consent USING btree (said_by);
CREATE INDEX consent_turn ON public.consent USING btree (turn);
CREATE INDEX consent_user ON public.consent USING btree (user_key) WHERE (user_key <> ''::text);
CREATE INDEX dead_settled ON public.dead USING btree (settled_at);
CREATE INDEX dead_still ON public.dead USING btree (id) WHERE (state = 'dead'::text);
CREATE INDEX dedup_key_expires ON public.dedup_key USING btree (expires_at);
CREATE INDEX dedup_key_learned ON public.dedup_key USING btree (delivery_id) WHERE learned;
CREATE INDEX delivered_event ON ONLY public.delivered USING btree (event_id) WHERE (event_id <> message_id);
CREATE INDEX delivered_20261202_event_id_idx ON public.delivered_20261202 USING btree (event_id) WHERE (event_id <> message_id);
CREATE INDEX delivered_id ON ONLY public.delivered USING btree (id);
CREATE INDEX delivered_20261202_id_idx ON public.delivered_20261202 USING btree (id);
CREATE INDEX delivered_message ON ONLY public.delivered USING btree (message_id);
CREATE INDEX delivered_20261202_message_id_idx ON public.delivered_20261202 USING btree (message_id);
CREATE INDEX delivered_order ON ONLY public.delivered USING btree (order_id) WHERE (order_id IS NOT NULL);
CREATE INDEX delivered_20261202_order_id_idx ON public.delivered_20261202 USING btree (order_id) WHERE (order_id IS NOT NULL);
CREATE INDEX delivery_event ON public.delivery USING btree (event_id) WHERE (event_id <> message_id);
CREATE INDEX delivery_message ON public.delivery USING btree (message_id);
CREATE INDEX delivery_order ON public.delivery USING btree (order_id) WHERE (order_id IS NOT NULL);
CREATE INDEX delivery_owner_message ON public.delivery_owner USING btree (message_id);
CREATE INDEX dropped_event_id_order ON ONLY public.dropped_event USING btree (id);
CREATE INDEX dropped_event_20261202_id_idx ON public.dropped_event_20261202 USING btree (id);
CREATE INDEX dropped_event_message ON ONLY public.dropped_event USING btree (message_id);
CREATE INDEX dropped_event_20261202_message_id_idx ON public.dropped_event_20261202 USING btree (message_id);
CREATE INDEX dropped_event_order ON ONLY public.dropped_event USING btree (order_id) WHERE (order_id IS NOT NULL);
CREATE INDEX dropped_event_20261202_order_id_idx ON public.dropped_event_20261202 USING btree (order_id) WHERE (order_id IS NOT NULL);
CREATE INDEX inventory_name ON public.inventory USING btree (name, type, source);
CREATE INDEX kept_payload_erase ON public.kept_payload USING btree (erase_at);
CREATE INDEX name_count_day ON public.name_count USING btree (day);
CREATE INDEX person_linked ON public.person USING btree (linked_to, linked_at) WHERE (linked_to IS NOT NULL);
CREATE INDEX person_seen ON public.person USING btree (((trust > 0)), seen_at);
CREATE INDEX person_stale ON public.person USING btree (stale_at);
CREATE INDEX quarantined_ends ON public.quarantined USING btree (ends_at);
CREATE UNIQUE INDEX quarantined_message ON public.quarantined USING btree (source, message_id, ((exit = 'accepted'::text)), is_proven);
CREATE INDEX queue_due ON public.queue USING btree (ad_account_id, retried, due_at, id) WHERE ((NOT held) AND (hold_until IS NULL));
CREATE INDEX queue_enqueued ON public.queue USING btree (ad_account_id, enqueued_at);
CREATE INDEX queue_follows ON public.queue USING btree (ad_account_id, hold_until) WHERE ((follows <> 0) AND (hold_until IS NOT NULL));
CREATE INDEX queue_held ON public.queue USING btree (ad_account_id, preset, due_at) WHERE held;
CREATE INDEX queue_on_hold ON public.queue USING btree (ad_account_id, hold_until) WHERE (hold_until IS NOT NULL);
CREATE INDEX session_ends ON public.session USING btree (ends_at);
CREATE INDEX suppression_ends ON public.suppression USING btree (ends_at) WHERE (ends_at IS NOT NULL);
ALTER INDEX public.counter_hour_pkey ATTACH PARTITION public.counter_hour_20261202_pkey;
ALTER INDEX public.counter_minute_pkey ATTACH PARTITION public.counter_minute_20261202_pkey;
ALTER INDEX public.delivered_event ATTACH PARTITION public.delivered_20261202_event_id_idx;
ALTER INDEX public.delivered_id ATTACH PARTITION public.delivered_20261202_id_idx;
ALTER INDEX public.delivered_message ATTACH PARTITION public.delivered_20261202_message_id_idx;
ALTER INDEX public.delivered_order ATTACH PARTITION public.delivered_20261202_order_id_idx;
ALTER INDEX public.dropped_event_id_order ATTACH PARTITION public.dropped_event_20261202_id_idx;
ALTER INDEX public.dropped_event_message ATTACH PARTITION public.dropped_event_20261202_message_id_idx;
ALTER INDEX public.dropped_event_order ATTACH PARTITION public.dropped_event_20261202_order_id_idx;
CREATE TRIGGER queue_enters AFTER INSERT ON public.queue REFERENCING NEW TABLE AS entering FOR EACH STATEMENT EXECUTE FUNCTION public.time_id_ranges();
