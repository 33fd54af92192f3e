"""Catalog, pipeline and ad accounts, joined as the settings say: once, for the server, the commands, benches and tests.

assemble.pipeline(load_settings()).preview(event, now=...)     what would become of an event; nothing is stored
assemble.pipeline(load_settings()).map_event(raw, now)         the same for one raw JSON event
assemble.pipeline(load_settings()).preview_request(...)         the same for each event of a named source's request
assemble.pipeline(load_settings(), outbox=...).accept(...)     what the server does
"""

from app.assemble.factories import (
    alerts_to,
    content_id_of,
    enrichment,
    event_finder,
    event_router,
    explainer,
    feed_keeper,
    file_tests,
    forget_acts,
    forgetting,
    hourly_reading,
    identity_event_reader,
    live_tail,
    name_counts,
    people_search,
    pinterest_client,
    pipeline,
    publisher,
    quarantine,
    replaying,
    router_of_test,
    running_catalog,
    running_sources,
    samples,
    sealer,
    shadow_runs,
    source_traits,
    typed_person,
)

__all__ = [
    "alerts_to",
    "content_id_of",
    "enrichment",
    "event_finder",
    "event_router",
    "explainer",
    "feed_keeper",
    "file_tests",
    "forget_acts",
    "forgetting",
    "hourly_reading",
    "identity_event_reader",
    "live_tail",
    "name_counts",
    "people_search",
    "pinterest_client",
    "pipeline",
    "publisher",
    "quarantine",
    "replaying",
    "router_of_test",
    "running_catalog",
    "running_sources",
    "samples",
    "sealer",
    "shadow_runs",
    "source_traits",
    "typed_person",
]
