"""CONTENT_ID by settings, by source and by destination: the destination's file first, then the source's."""

from pathlib import Path
from typing import Any

import pytest

from app import assemble
from app.errors import CatalogError, SettingsError
from tests.assembled import settings

ORDER = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m-1",
    "timestamp": "2026-11-29T10:00:00Z",
    "context": {"traits": {"email": "ada@example.com"}},
    "properties": {
        "order_id": "A-1",
        "currency": "USD",
        "line_items": [{"product_id": 7, "variant_id": 71, "sku": "S-7", "price": 5, "quantity": 1}],
    },
}
AT = 1_795_946_400.0

#: CONTENT_ID, what the source's file says, what the destination's file says, the id that is sent.
ASKED = [
    (None, None, None, "7"),
    ("sku", None, None, "S-7"),
    ("sku", "variant_id", None, "71"),
    ("sku", "variant_id", "product_id", "7"),
    (None, None, "{{ product_id }}_{{ sku }}", "7_S-7"),
    ("sku", None, "variant_id", "71"),
]


def _given(folder: Path, of_all: str | None, of_source: str | None, of_destination: str | None) -> dict[str, Any]:
    sources, destinations = folder / "sources", folder / "destinations"
    sources.mkdir()
    destinations.mkdir()
    line = f"content_id: '{of_source}'\n" if of_source else ""
    (sources / "shop.yaml").write_text(f"name: shop\nkind: segment\nproofs: [{{kind: anyone}}]\n{line}")
    own = f"settings: {{content_id: '{of_destination}'}}\n" if of_destination else ""
    (destinations / "us.yaml").write_text(f"name: US\nad_account_id: '549755885175'\nmode: sandbox\n{own}")
    (destinations / "de.yaml").write_text("name: DE\nad_account_id: '549755885176'\nmode: sandbox\n")
    given: dict[str, Any] = {"sources_dir": (sources,), "destinations_dir": (destinations,)}
    return given | ({"content_id": of_all} if of_all else {})


@pytest.mark.parametrize(("of_all", "of_source", "of_destination", "expected"), ASKED)
def test_the_nearest_word_counts(
    tmp_path: Path, of_all: str | None, of_source: str | None, of_destination: str | None, expected: str
) -> None:
    given = settings(**_given(tmp_path, of_all, of_source, of_destination))
    running = assemble.running_sources(given, on_fault=print)
    catalog = assemble.running_catalog(given).catalog
    for sources in (running, None):  # those that run, and those of the folders
        walk = assemble.event_router(given, sources=sources)
        lines = {line.destination: line for line in walk.lines(dict(ORDER), catalog, now=AT, source="shop")}
        sent = lines["US"].event or {}
        assert sent["custom_data"]["content_ids"] == [expected], lines["US"].reason
        assert [each["id"] for each in sent["custom_data"]["contents"]] == [expected]
        other = {"product_id": "7", "variant_id": "71", "sku": "S-7"}[of_source or of_all or "product_id"]
        assert (lines["DE"].event or {})["custom_data"]["content_ids"] == [other]


@pytest.mark.slow
async def test_the_explanation_reads_the_same_id(tmp_path: Path) -> None:
    given = settings(**_given(tmp_path, None, "sku", None))
    report = await assemble.explainer(given).explain(
        dict(ORDER), assemble.running_catalog(given).catalog, now=AT, source="shop"
    )
    fields = [field for preset in report.presets for field in preset.fields if field.field == "custom_data/content_ids"]
    assert {field.value for field in fields} == {'["S-7"]'}


@pytest.mark.parametrize(
    ("of_all", "of_source", "of_destination", "place"),
    [
        ("{{ nosuch | nosuch }}", None, None, r"CONTENT_ID: .*nosuch"),
        (None, None, "{{ sku | nosuch }}", r"content_id of the destination US: .*nosuch"),
    ],
)
def test_a_text_that_is_no_template_stops_the_start(
    tmp_path: Path, of_all: str | None, of_source: str | None, of_destination: str | None, place: str
) -> None:
    given = _given(tmp_path, of_all, of_source, of_destination)
    if of_all:
        del given["destinations_dir"]
    with pytest.raises(SettingsError, match=place):
        assemble.event_router(settings(**given))


def test_a_source_with_a_text_that_is_no_template_is_a_fault(tmp_path: Path) -> None:
    given = settings(**_given(tmp_path, None, "{{ sku | nosuch }}", None))
    with pytest.raises(CatalogError, match="nosuch"):
        assemble.running_sources(given, on_fault=print)


@pytest.mark.parametrize("text", ["SKU", "id", "product"])
def test_another_word_is_a_fault(text: str) -> None:
    with pytest.raises(SettingsError, match="write product_id, variant_id or sku"):
        settings(content_id=text)
