"""What an explanation shows for each field is what was sent: read by itself, it makes the same event."""

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalog import load_catalog
from app.destination import ReportConversionEvent
from app.destination.conversion_event import FIELD_READERS
from app.destination.members import all_members
from app.mapping import Mapping, compile_mapping
from app.pipeline.explain import wire_path
from app.source import read_raw_event
from tests.presets.test_read_at_once import ACTIONS, LINES, NAMES, NOW, ODD, ROOT, odd_event, told
from tests.rounds import examples, some_of

#: All but the one with an action source of no kind: what is sent in its place stands in another place of the mapping.
ACTIONS_SHOWN = ACTIONS[:3]


def check(mapping: Mapping, event: dict[str, Any], action: ReportConversionEvent) -> Any:
    """Assert that an event is explained as it is sent; return what is sent, or why nothing is."""
    recorded = mapping.recorded(event)
    sent, explained = told(action, mapping.of(event)), told(action, recorded.given())
    assert type(sent) is type(explained)
    if isinstance(sent, str):
        assert sent == explained
        return sent
    event, _ = sent
    shown: dict[str, Any] = {}
    for row in recorded.explanations(lambda path: found(event, wire_path(path)) is not None):
        put(shown, row.path, row.value)
    alone, _ = action(shown, now=NOW)
    assert orjson.dumps(event) == orjson.dumps(explained[0])
    assert in_one_order(event) == in_one_order(alone)
    return event


def found(event: Any, path: str) -> Any:
    for key in path.split("."):
        event = event.get(key) if isinstance(event, dict) else None
    return event


def put(fields: dict[str, Any], path: str, value: Any) -> None:
    *above, last = path.split(".")
    for key in above:
        fields = fields.setdefault(key, {})
    fields[last] = value


def in_one_order(event: dict[str, Any]) -> bytes:
    return orjson.dumps(event, option=orjson.OPT_SORT_KEYS)


@pytest.fixture(scope="module")
def catalog() -> Any:
    return load_catalog(ROOT / "presets", ROOT / "mappings")


@pytest.mark.slow
@pytest.mark.prove
def test_every_vector_is_explained_as_it_is_sent(catalog: Any) -> None:
    for line in some_of(LINES):
        event = read_raw_event(line, now=NOW)
        for preset in catalog.matching(event):
            check(preset.mapping, event, ACTIONS_SHOWN[1])


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_so_is_every_event_with_odd_values_in_odd_places(catalog: Any, data: st.DataObject) -> None:
    event = odd_event(data)
    for preset in catalog.matching(event):
        check(preset.mapping, event, data.draw(st.sampled_from(ACTIONS_SHOWN)))


PLACES = [f"{above}.{name}" for above in ("$.properties", "$.context.traits") for name in NAMES]
AT: st.SearchStrategy[Any] = st.sampled_from(PLACES).map(lambda path: {"@path": path})


def _directives(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=4)
    product = st.fixed_dictionaries({"id": inner, "item_price": st.just({"@path": "$.price"})})
    return st.one_of(
        some.map(lambda options: {"@coalesce": options}),
        some.map(lambda options: {"@all": options}),
        st.tuples(st.sampled_from(["@sum", "@subtract", "@multiply", "@atMost"]), inner, inner).map(
            lambda drawn: {drawn[0]: [*drawn[1:]]}
        ),
        st.fixed_dictionaries({"exists": inner, "then": inner, "else": inner}).map(lambda options: {"@if": options}),
        st.fixed_dictionaries({"value": inner, "then": inner, "else": inner, "unsaid": inner}).map(
            lambda options: {"@ifAllowed": options}
        ),
        AT.map(lambda path: {"@money": path}),
        AT.map(lambda path: {"@case": {"operator": "lower", "value": path}}),
        product.map(lambda shape: {"@each": ["$.properties.products", shape]}),
        st.sampled_from(NAMES).map(lambda name: {"@template": f"{{{{properties.{name}}}}} {name}"}),
    )


MAPPED = st.recursive(AT, _directives, max_leaves=6)
#: Every second place has something of use to somebody.
SAID = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from(ODD) | st.sampled_from(["ada@shop.example", 5, "EUR"]), max_size=8
)
FIELDS = [path for path, _ in all_members(FIELD_READERS) if len(path) <= len(("user_data", "email"))]
HOLDERS = {path[0] for path in FIELDS if len(path) > 1}
OWN = [path for path in FIELDS if path[0] not in {"event_id", "event_name", "event_time", "action_source", *HOLDERS}]
OWN += [path for path in FIELDS if len(path) > 1]


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None)
@given(
    name=st.sampled_from(["checkout", "page_visit"]),
    own=st.dictionaries(st.sampled_from(OWN), MAPPED, min_size=1, max_size=4),
    emails=st.lists(AT, min_size=2, max_size=4),
    values=st.lists(MAPPED, min_size=1, max_size=3),
    properties=SAID,
    traits=SAID,
    action=st.sampled_from(ACTIONS_SHOWN),
)
def test_so_is_what_any_mapping_makes(
    name: str,
    own: dict[Any, Any],
    emails: list[Any],
    values: list[Any],
    properties: Any,
    traits: Any,
    action: ReportConversionEvent,
) -> None:
    fields: dict[str, Any] = {
        "event_name": name,
        "event_id": "m-1",
        "event_time": NOW,
        "action_source": "web",
        "user_data": {
            "client_ip_address": "203.0.113.9",
            "client_user_agent": "x",
            "email": {"@coalesce": emails},
        },
        "custom_data": {"value": {"@coalesce": values}},
    }
    for path, mapped in own.items():
        put(fields, ".".join(path), mapped)
    mapping = compile_mapping(fields, joined=["user_data"])
    event = {"properties": properties, "context": {"traits": traits}}

    sent = check(mapping, event, action)

    resolved = told(action, mapping.resolve(event))
    assert sent == (resolved if isinstance(resolved, str) else resolved[0])
