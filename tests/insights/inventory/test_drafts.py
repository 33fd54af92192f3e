"""A draft is a preset that can be used as it is: it takes the example that comes with it."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assemble import explainer, running_catalog
from app.catalog import Catalog
from app.core.events import EventKey, Outcome
from app.insights.inventory.counting import properties_of
from app.insights.inventory.drafts import draft_preset, example_event
from app.insights.inventory.figures import PropertyFigures, split_label
from app.source import read_event_text
from tests.assembled import settings, shipped_catalog
from tests.outbox.build import NOW
from tests.rows import every_row


def figures(*labels: str) -> list[PropertyFigures]:
    """Properties as they were met, the frequent ones first."""
    made = [(*split_label(label), len(labels) - place) for place, label in enumerate(labels)]
    return [
        PropertyFigures(path=path, kind=kind, number=number, share=1.0, first_at=0, last_at=0)
        for path, kind, number in made
    ]


def with_draft(key: EventKey, labels: list[str]) -> tuple[Catalog, Any]:
    running = running_catalog(settings())
    draft = draft_preset(key, figures(*labels), running.catalog)
    assert draft.file not in running.texts
    return running.with_draft(draft.file, draft.text), draft


@every_row(
    ("key", "sent_as"),
    [
        (EventKey("shop", "track", "order completed"), "checkout"),
        (EventKey("shop", "track", "AddToCart"), "add_to_cart"),
        (EventKey("shop", "track", "Cron Heartbeat"), "custom"),
        (EventKey("shop", "page", "Cart"), "page_visit"),
        (EventKey("shop", "screen", "Home"), "custom"),
        (EventKey("shop", "track", 'a "quoted" \\ name: # x'), "custom"),
        (EventKey("shop", "track", "Order Completed"), "checkout"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_draft_takes_its_example_and_sends_what_the_nearest_preset_sends(key: EventKey, sent_as: str) -> None:
    catalog, draft = with_draft(key, ["properties.total number"])
    (preset,) = [each for each in catalog.presets if each.file == draft.file]
    assert preset in catalog.matching(draft.event)
    assert preset.fields["event_name"] == sent_as


NAMES = st.text(min_size=1, max_size=20).filter(lambda name: "\0" not in name)


@pytest.mark.slow
@given(type_=st.sampled_from(["track", "page", "screen", "identify"]), name=NAMES | st.just(""))
def test_whatever_its_name_a_draft_can_be_used(type_: str, name: str) -> None:
    key = EventKey("shop", type_, name if type_ != "identify" else "")
    catalog, draft = with_draft(key, [])
    (preset,) = [each for each in catalog.presets if each.file == draft.file]
    assert preset.trigger.matches(draft.event)


@every_row(
    ("labels", "properties"),
    [
        (["properties.total number", "properties.currency text"], {"total": 19.9, "currency": "USD"}),
        (
            ["properties.products list", "properties.products[].price number", "properties.products[].sku text"],
            {"products": [{"price": 19.9, "sku": "A-1"}]},
        ),
        (["properties.tags list", "properties.tags[] text"], {"tags": ["example"]}),
        (["properties.a object", "properties.a.b yes or no"], {"a": {"b": True}}),
        (["properties.a nothing", "properties.b object", "properties.c other"], {"a": None, "b": {}, "c": None}),
        # two kinds of one path: the more frequent stays, and what lies below the other is left out
        (["properties.a text", "properties.a object", "properties.a.b text"], {"a": "example"}),
        (["properties.a text", "properties.a list", "properties.a[].b text"], {"a": "example"}),
        (["properties.a list", "properties.a[] text", "properties.a[].b text"], {"a": ["example"]}),
    ],
)
def test_an_example_has_the_shape_that_was_met(labels: list[str], properties: dict[str, Any]) -> None:
    event = example_event(EventKey("shop", "track", "X"), figures(*labels))
    assert event["properties"] == properties


def test_the_shape_of_an_example_is_that_of_the_event_it_was_made_from() -> None:
    example = next(preset.example for preset in shipped_catalog().presets if preset.name == "Order Completed")
    assert example is not None
    labels = properties_of(example)
    made = example_event(EventKey("shop", "track", "X"), figures(*labels))
    assert sorted(properties_of(made)) == sorted(labels)
    assert "ada.miller" not in str(made["properties"])


@pytest.mark.parametrize(
    ("shares", "is_made"),
    [({"e-mail": 0.92}, True), ({"IP address": 0.6, "user agent": 0.6}, True), ({"e-mail": 0.2}, False), ({}, False)],
)
async def test_an_example_has_what_most_events_carry_so_that_it_fails_only_where_they_fail(
    shares: dict[str, float], *, is_made: bool
) -> None:
    running = running_catalog(settings())
    key = EventKey("shop", "track", "order completed")
    draft = draft_preset(key, figures("properties.total number"), running.catalog, shares)
    catalog = running.with_draft(draft.file, draft.text)
    (preset,) = [each for each in catalog.presets if each.file == draft.file]
    (event,) = read_event_text(orjson.dumps(draft.event), now=NOW)
    report = await explainer(settings()).explain(event, catalog, now=NOW)
    (of_preset,) = [each for each in report.presets if each.preset == preset.name]
    assert (of_preset.outcome is Outcome.ENQUEUED) == is_made
