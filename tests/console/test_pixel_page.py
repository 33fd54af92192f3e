"""The page with the pixel of a shop."""

from html import unescape
from pathlib import Path
from typing import Any

import pytest

from app.core.shared_values import TAG_CALLS, TagCall, TagCalls
from app.source.browser import shopify_pixel
from tests.console.world import open_world
from tests.outbox.build import new
from tests.rows import every_row
from tests.sources.sending import shipped


@every_row(
    ("changes", "host"),
    [({}, "http://localhost:8080"), ({"public_hosts": ("t.shop.example",)}, "https://t.shop.example")],
)
async def test_it_shows_the_pixel_of_each_source_that_pages_may_call(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any], host: str
) -> None:
    secrets = {"SHOPIFY_PIXEL_KEY": "0123456789abcdef<&", "SHOPIFY_WEBHOOK_SECRET": "0123456789abcdef"}
    sources = shipped(["shopify_pixel", "shopify"], secrets).sources
    async with open_world(tmp_path_factory.mktemp("world"), sources=dict(sources), **changes) as world:
        page = await world.html("/console/pixel")
        assert "Shopify pixel" in await world.html("/console/inventory")
    assert shopify_pixel(host, "shopify_pixel", "0123456789abcdef<&") in unescape(page)
    assert page.count("<pre ") == 1, "only the source that pages may call"
    assert secrets["SHOPIFY_WEBHOOK_SECRET"] + '"' not in page


async def test_without_such_a_source_it_says_what_to_set(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        page = await world.html("/console/pixel")
    assert "set <code>SHOPIFY_PIXEL_KEY</code>" in page


async def test_it_says_which_events_pinterests_app_sends_too(tmp_path: Path) -> None:
    sources = shipped(["shopify_pixel"], {"SHOPIFY_PIXEL_KEY": "0123456789abcdef"}).sources
    async with open_world(tmp_path, sources=dict(sources)) as world:
        given = {"event_name": "checkout", "preset": "Checkout", "source": "shopify_pixel"}
        await world.outbox.enqueue(
            [new(**given, event_id=f"sh-{number}") for number in range(3)], [], [], now=world.now
        )
        calls = tuple(TagCall(event="checkout", event_id=each) for each in ("sh-0", "theirs-1", "theirs-2"))
        await TAG_CALLS.of("0").write(world.outbox, TagCalls(at=int(world.now), calls=calls, more=0))
        pages = [await world.html(path) for path in ("/console/pixel", "/console/tag-check")]
    assert all("under other ids: about 2 count twice." in page for page in pages)
