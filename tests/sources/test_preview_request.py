"""`preview_request` tells of a request what its source would: to programs, without a proof."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from app.errors import CatalogError, EventHeldBack, EventRefused, EventUntaken, UnknownName
from app.pipeline.pipeline import Pipeline
from app.pipeline.router import Router
from app.source.responses import RequestRefused
from tests import assembled
from tests.sources.sending import NOW, Heard, served, shipped, told_of

SOURCE = """
name: crm
kind: mapped
proofs: [{kind: anyone}]
pixel: true
consent_categories: [ads]
mapping:
  messageId: {"@path": $.body.id}
  event: Order Completed
  type: track
  timestamp: "2026-11-25T10:00:00Z"
  context:
    consent: {categoryPreferences: {ads: {"@path": $.body.ads}}}
    userAgent: {"@path": $.headers.user-agent}
    ip: 203.0.113.9
    authorization: {"@path": $.headers.authorization}
  properties: {order_id: {"@path": $.body.id}, currency: {"@path": $.query.currency}}
events: [{name: Order, subscribe: body.id != null or query.id != null}]
"""
PLAIN = "name: plain\nkind: segment\nproofs: [{kind: anyone}]\n"
OFF = PLAIN.replace("plain", "off") + "enabled: false\n"
PAGE = (
    b'{"type": "page", "messageId": "p", "timestamp": "2026-11-25T10:00:00Z",'
    b' "context": {"ip": "203.0.113.9", "userAgent": "x"}}'
)
HEADERS = {"User-Agent": "Mozilla/5.0", "Content-Type": "application/json", "Authorization": "Basic c2VjcmV0"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sources that anyone may send by."""
    for name, text in (("crm", SOURCE), ("plain", PLAIN), ("off", OFF)):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "body", "more", "query"),
    [
        ("crm", b'[{"id": "1", "ads": true}, {"id": "2", "ads": false}, {}, 7]', {}, "currency=EUR"),
        ("crm", b'{"id": "1", "ads": true}\n{', {"Content-Type": "application/jsonl"}, ""),
        ("crm", b"id=1&ads=true", {"Content-Type": "application/x-www-form-urlencoded"}, ""),
        ("crm", b'{"id": "1", "ads": true}', {"Sec-GPC": "1"}, ""),
        ("crm", b"", {"Content-Type": "text/html"}, "id=1"),
        ("plain", PAGE, {}, ""),
        ("plain", b"[" + PAGE + b', {"type": 7}, {"json": ' + PAGE + b"}]", {"Sec-GPC": "1"}, ""),
        ("plain", b'{"batch": [' + PAGE + b'], "context": {"ip": "203.0.113.7"}}', {}, ""),
        ("off", PAGE, {}, ""),
    ],
)
async def test_it_tells_what_the_door_of_the_source_tells(
    source: str, body: bytes, more: dict[str, str], query: str, folder: Path
) -> None:
    heard = Heard()
    app = served(heard, shipped([], {}, folder))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://pinrelay.example") as http:
        method = "POST" if body else "GET"
        await http.request(method, f"/webhook/{source}?{query}", headers=HEADERS | more, content=body)
    pipeline = assembled.pipeline(sources_dir=(folder,))

    found = pipeline.preview_request(source, body, HEADERS | more, now=NOW, query=query)

    assert found
    assert told_of(found) == told_of(
        [each if isinstance(each, EventRefused) else pipeline.preview(each, now=NOW) for each in heard.events]
    )


def test_refusals_stand_in_their_place(folder: Path) -> None:
    body = b'[{"id": "1", "ads": true}, {"id": "2"}, {}, 7]'

    found = assembled.pipeline(sources_dir=(folder,)).preview_request("crm", body, {}, now=NOW)

    assert [type(each) for each in found] == [list, EventHeldBack, EventUntaken, EventUntaken]


@pytest.mark.parametrize(
    ("source", "body", "headers", "error"),
    [
        ("crm", b"{", {}, RequestRefused),
        ("crm", b"{}", {"content-type": "text/html"}, RequestRefused),
        ("crm", b"\x1f\x8b broken", {}, RequestRefused),
        ("plain", b"", {}, RequestRefused),
        ("nobody", b"{}", {}, CatalogError),
    ],
)
def test_a_request_that_is_refused_as_a_whole_raises(
    source: str, body: bytes, headers: dict[str, str], error: type[Exception], folder: Path
) -> None:
    with pytest.raises(error):
        assembled.pipeline(sources_dir=(folder,)).preview_request(source, body, headers, now=NOW)


def test_a_pipeline_without_sources_says_so() -> None:
    with pytest.raises(UnknownName, match="unknown source"):
        Pipeline(assembled.shipped_catalog(), Router()).preview_request("crm", b"{}", {}, now=NOW)


def test_what_a_mapping_sees_of_a_request_holds_no_secret(folder: Path) -> None:
    previewed = assembled.pipeline(sources_dir=(folder,)).previewed("crm", b'{"id": "1"}', HEADERS, now=NOW)
    made: Any
    ((made, _, _),) = previewed
    assert made["context"]["userAgent"] == "Mozilla/5.0"
    assert "authorization" not in made["context"]
