"""POST /webhook/{source}: who may send, what is read, what is answered."""

import gzip
import hmac
import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalog.sources import RunningSources
from app.core.receipts import Receipt
from app.core.shared_values import Shared
from app.errors import EventRefused, OutboxUnavailable
from app.source import Intake
from tests.assembled import pipeline
from tests.process import ROOT
from tests.source.door import client, zstd
from tests.sources.sending import NOW, Heard, served, shipped

SECRET = "0123456789abcdef"
KEY = {"x-key": SECRET}
#: A mapped source that says little.
MAPPED: dict[str, Any] = {
    "name": "shop",
    "kind": "mapped",
    "proofs": [{"kind": "header", "header": "X-Key", "secret": {"env": "SHOP_SECRET"}}],
    "mapping": {"type": "track", "event": {"@path": "$.body.what"}, "messageId": {"@path": "$.body.id"}},
    "events": [{"name": "Anything", "subscribe": "body.what != null"}],
}
SEGMENTS = {"name": "shop", "kind": "segment", "proofs": MAPPED["proofs"]}


def source(folder: Path, spec: dict[str, Any]) -> RunningSources:
    """Write a source's file, and load it."""
    (folder / f"{spec['name']}.yaml").write_text(yaml.safe_dump(spec, allow_unicode=True), encoding="utf-8")
    return shipped([], {"SHOP_SECRET": SECRET}, folder)


async def ask(folder: Path, spec: dict[str, Any], heard: Any = None, method: str = "POST", **request: Any) -> Any:
    """Send one request to a source, and return the answer."""
    async with client(served(heard or Heard(), source(folder, spec))) as http:
        return await http.request(method, f"/webhook/{spec['name']}", **({"headers": KEY} | request))


def reasons(heard: Heard) -> list[tuple[str, str]]:
    return [(each.outcome, each.reason) for each in heard.events if isinstance(each, EventRefused)]


async def test_a_receipt_names_the_source_and_what_was_made(tmp_path: Path) -> None:
    made = pipeline(outbox=Keeps())
    answer = await ask(tmp_path, MAPPED, made, json=[{"what": "Ping", "id": "m-1"}, {"id": "m-2"}])

    assert (answer.status_code, answer.json()["source"]) == (200, "shop")
    assert answer.json()["counts"] == {"accepted": 2, "unmatched": 2}
    assert [each["message_id"] for each in answer.json()["events"]] == ["m-1", None]
    assert answer.json()["events"][1]["deliveries"] == [
        {"preset": None, "outcome": "unmatched", "reason": "no trigger of the source matches it", "warnings": []}
    ]


async def test_a_slash_at_the_end_of_the_path_changes_nothing(tmp_path: Path) -> None:
    async with client(served(Heard(), source(tmp_path, MAPPED | {"pixel": True}))) as http:
        posted = await http.post("/webhook/shop/", headers=KEY, json={"what": "Ping", "id": "m-1"})
        seen = await http.get("/webhook/shop/", headers=KEY)
    assert (posted.status_code, posted.json()["source"]) == (200, "shop")
    assert seen.headers["content-type"] == "image/gif"


class Keeps:
    """An outbox without anything to keep."""

    async def enqueue(
        self, deliveries: Any, *_: Any, now: float, people: Any = None, is_final: bool = False
    ) -> list[Any]:
        assert (list(deliveries), now, people, is_final) == ([], NOW, None, True)
        return []

    async def people(self, keys: Any, *, browsers: Any = ()) -> Any:
        raise AssertionError(keys)

    async def get_shared(self, _: str) -> Shared[Any]:
        return Shared(value="a secret of the store", revision=1)

    async def consent_keys(self, after: str) -> tuple[list[tuple[str, int]], str]:
        return [], after

    async def scrub(self, texts: Any) -> None:
        raise AssertionError(texts)


@pytest.mark.parametrize(("proofs", "is_trusted"), [(MAPPED["proofs"], True), ([{"kind": "anyone"}], False)])
async def test_a_sender_counts_as_known_only_by_a_secret(tmp_path: Path, proofs: Any, *, is_trusted: bool) -> None:
    heard = Heard()
    await ask(tmp_path, MAPPED | {"proofs": proofs}, heard, json={"what": "Ping"})
    assert heard.are_trusted == [is_trusted]


_SIGNED = [{"kind": "hmac", "header": "x-sign", "secret": {"env": "SHOP_SECRET"}}]
_OF_QUERY = {"type": "track", "event": {"@path": "$.body.what"}, "properties": {"ref": {"@path": "$.query.ref"}}}


@pytest.mark.parametrize(
    ("changes", "path", "trusted", "known"),
    [
        ({}, "?ref=x", True, True),
        ({"authors": "browser"}, "", False, True),
        ({"proofs": _SIGNED}, "?ref=x", True, True),  # nothing reads it
        ({"proofs": _SIGNED, "mapping": _OF_QUERY}, "", True, True),
        ({"proofs": _SIGNED, "mapping": _OF_QUERY}, "?ref=x", False, False),
        ({"proofs": [*MAPPED["proofs"], *_SIGNED], "mapping": _OF_QUERY}, "?ref=x", True, True),
    ],
)
async def test_an_event_is_trusted_as_far_as_a_secret_covers_what_it_is_made_of(
    tmp_path: Path, changes: dict[str, Any], path: str, *, trusted: bool, known: bool
) -> None:
    heard = Heard()
    body = b'{"what": "Ping"}'
    headers = KEY | {"x-sign": hmac.new(SECRET.encode(), body, "sha256").hexdigest()}
    async with client(served(heard, source(tmp_path, MAPPED | changes))) as http:
        assert (await http.post(f"/webhook/shop{path}", content=body, headers=headers)).status_code == 200
    assert (heard.are_trusted, heard.are_known) == ([trusted], [known])


async def test_a_signed_get_is_public(tmp_path: Path) -> None:
    """The signature of an empty body is the same for every query, and a page may show it."""
    heard = Heard()
    headers = {"x-sign": hmac.new(SECRET.encode(), b"null", "sha256").hexdigest()}
    async with client(served(heard, source(tmp_path, MAPPED | {"proofs": _SIGNED, "pixel": True}))) as http:
        assert (await http.get("/webhook/shop?ref=x", headers=headers)).status_code == 200
    assert (heard.are_trusted, heard.are_known) == ([False], [False])


@pytest.mark.parametrize(("authors", "trusted"), [(None, [False]), ("server", [True, False])])
async def test_behind_the_first_signed_event_of_a_relay_all_are_public(
    tmp_path: Path, authors: str | None, trusted: list[bool]
) -> None:
    heard = Heard()
    first, second = b'{"type":"track","event":"A","messageId":"1"}', b'{"type":"delete","userId":"ann"}'
    spec = {"name": "shop", "kind": "segment", "proofs": [{"kind": "segment", "secret": {"env": "SHOP_SECRET"}}]}
    spec |= {"authors": authors} if authors else {}
    headers = {"x-signature": hmac.new(SECRET.encode(), first, "sha1").hexdigest()}
    async with client(served(heard, source(tmp_path, spec))) as http:
        body = b"[" + first + b"," + second + b"]"
        assert (await http.post("/webhook/shop", content=body, headers=headers)).status_code == 200
    assert (heard.are_trusted, heard.are_known) == (trusted, trusted)


@pytest.mark.slow
def test_every_shipped_source_says_who_makes_its_events() -> None:
    said = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))["authors"]
        for path in (ROOT / "sources").glob("*.yaml")
    }
    assert {name for name, authors in said.items() if authors == "server"} == {
        "bigcommerce",
        "hightouch",
        "magento",
        "shopify",
        "stripe",
        "woocommerce",
    }


async def test_the_name_of_the_source_goes_with_its_events(tmp_path: Path) -> None:
    heard = Heard()
    await ask(tmp_path, MAPPED, heard, json={"what": "Ping", "id": "m-1"})
    assert heard.sources == ["shop"]
    assert [event["event"] for event in heard.events if isinstance(event, dict)] == ["Ping"]


async def test_there_is_no_source_of_another_name(tmp_path: Path) -> None:
    async with client(served(Heard(), source(tmp_path, MAPPED))) as http:
        answer = await http.post("/webhook/mall", headers=KEY, json={})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_source")


@pytest.mark.parametrize("headers", [{}, {"x-key": "wrong"}, {"authorization": SECRET}])
async def test_who_proves_nothing_is_401(tmp_path: Path, headers: dict[str, str]) -> None:
    heard = Heard()
    answer = await ask(tmp_path, MAPPED, heard, headers=headers, json={"what": "Ping"})
    assert (answer.status_code, heard.sources) == (401, [])


async def test_all_proofs_must_hold(tmp_path: Path) -> None:
    second = {"kind": "bearer", "secret": {"env": "SHOP_SECRET"}}
    spec = MAPPED | {"proofs": [*MAPPED["proofs"], second]}
    assert (await ask(tmp_path, spec, json={})).status_code == 401
    both = KEY | {"authorization": f"Bearer {SECRET}"}
    assert (await ask(tmp_path, spec, json={}, headers=both)).status_code == 200


async def test_a_mapped_source_is_answered_200_whatever_becomes_of_its_event(tmp_path: Path) -> None:
    """A shop strikes off a webhook that fails; an event without a type does not get one by coming again."""
    heard = Heard()
    spec = MAPPED | {"mapping": {"type": {"@path": "$.body.kind"}}}
    answer = await ask(tmp_path, spec, heard, json={"what": "Ping"})
    assert answer.status_code == 200
    assert [outcome for outcome, _ in reasons(heard)] == ["refused"]


@pytest.mark.parametrize(
    ("body", "status"), [({"type": "track", "messageId": "1"}, 200), ({"no": "type"}, 422), ([{"no": "type"}], 200)]
)
async def test_a_source_of_segments_events_answers_as_the_webhook_does(tmp_path: Path, body: Any, status: int) -> None:
    made = pipeline(outbox=Keeps())
    answer = await ask(tmp_path, SEGMENTS, made, content=orjson.dumps(body))
    assert (answer.status_code, answer.json()["source"]) == (status, "shop")


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("text/html", b"<p>", 415),
        ("application/json", b"[%b]" % b",".join([b"{}"] * 4_001), 413),
        ("application/json", b'"%b"' % (b"x" * 8_000_000), 413),
        ("application/json", gzip.compress(b'{"what": "Ping"}'), 200),
        ("application/x-www-form-urlencoded", b"what=Ping", 200),
    ],
    ids=["broken", "html", "many", "large", "gzip", "form"],
)
async def test_what_a_request_is_answered(tmp_path: Path, content_type: str, body: bytes, status: int) -> None:
    answer = await ask(tmp_path, MAPPED, content=body, headers=KEY | {"content-type": content_type})
    assert answer.status_code == status


async def test_where_nothing_can_be_kept_the_sender_is_asked_to_come_again(tmp_path: Path) -> None:
    class Full:
        async def accept(self, _: Intake) -> Receipt:
            raise OutboxUnavailable(retry_after_s=7)

    answer = await ask(tmp_path, MAPPED, Full(), json={"what": "Ping"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


async def test_a_pixel_is_an_event_of_its_query(tmp_path: Path) -> None:
    context = {"ip": {"@path": "$.ip"}, "userAgent": {"@path": "$.headers.user-agent"}}
    seen = {"type": "page", "properties": {"@path": "$.query"}, "context": context}
    event = {"name": "Seen", "subscribe": 'method = "GET"'}
    spec = MAPPED | {"proofs": [{"kind": "anyone"}], "pixel": True, "mapping": seen, "events": [event]}
    heard = Heard()
    headers = {"user-agent": "Mozilla/5.0", "cookie": "id=1", "sec-gpc": "1"}
    app = served(heard, source(tmp_path, spec))
    async with client(app, peer="8.8.8.8") as http:
        answer = await http.get("/webhook/shop?url=%2Fa&tag=1&tag=2", headers=headers)

    assert answer.status_code == 200
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("image/gif", "no-store")
    assert answer.content.startswith(b"GIF89a")
    (made,) = heard.events
    assert isinstance(made, dict)
    assert made["properties"] == {"url": "/a", "tag": ["1", "2"]}
    assert made["context"] == {"ip": "8.8.8.8", "userAgent": "Mozilla/5.0", "gpc": "1"}


async def test_without_pixels_a_get_is_405(tmp_path: Path) -> None:
    heard = Heard()
    assert (await ask(tmp_path, MAPPED, heard, "GET")).status_code == 405
    assert heard.sources == []


CONTENT_TYPES = st.sampled_from(
    [
        "application/json",
        "application/jsonl",
        "application/x-www-form-urlencoded",
        "application/cloudevents+json",
        "a/b",
    ]
)
BODIES = st.binary(max_size=200) | st.from_regex(rb'\[?\{"what": ?("a"|1|\[\]|null)\}\]?', fullmatch=True)


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES, content_type=CONTENT_TYPES, query=st.text(max_size=20))
async def test_whatever_is_sent_is_answered_and_never_by_a_fault_of_ours(
    tmp_path: Path, body: bytes, content_type: str, query: str
) -> None:
    headers = KEY | {"content-type": content_type}
    answer = await ask(tmp_path, MAPPED, content=body, headers=headers, params={"q": query})
    assert answer.status_code in {200, 400, 413, 415}


async def test_a_query_that_is_too_long_is_refused(tmp_path: Path) -> None:
    answer = await ask(tmp_path, MAPPED, json={"what": "Ping"}, params={"a": "x" * 20_000})
    assert answer.status_code == 413


async def test_a_source_that_is_off_withholds_its_events(tmp_path: Path) -> None:
    heard = Heard()
    answer = await ask(tmp_path, MAPPED | {"enabled": False}, heard, json=[{"what": "Ping", "id": "m-1"}, {}])
    assert answer.status_code == 200
    off = ("withheld", "the source is switched off (`enabled: false` in its file)")
    assert reasons(heard) == [off, ("unmatched", "no trigger of the source matches it")]
    assert [each.message_id for each in heard.events if isinstance(each, EventRefused)] == ["m-1", None]


@pytest.mark.parametrize(
    ("preferences", "told"),
    [
        ({"ads": True}, []),
        ({"ads": False}, [("withheld", "consent: category ads is not granted")]),
        ({}, [("withheld", "consent: category ads is not granted")]),
    ],
)
async def test_a_source_may_ask_for_consent_of_its_own(
    tmp_path: Path, preferences: dict[str, bool], told: list[tuple[str, str]]
) -> None:
    heard = Heard()
    event = {"type": "track", "messageId": "1", "context": {"consent": {"categoryPreferences": preferences}}}
    await ask(tmp_path, SEGMENTS | {"consent_categories": ["ads"]}, heard, json=event)
    assert reasons(heard) == told


async def test_a_source_has_bounds_of_its_own(tmp_path: Path) -> None:
    limits = {"max_body_bytes": 100, "max_events": 2}
    spec = MAPPED | {"limits": limits}
    event = {"what": "Ping"}
    assert (await ask(tmp_path, spec, json=[event] * 2)).status_code == 200
    assert (await ask(tmp_path, spec, json=[event] * 3)).status_code == 413
    assert (await ask(tmp_path, spec, json=[{"what": "x" * 100}])).status_code == 413


async def test_more_events_than_a_request_may_hold_are_refused_wherever_they_come_from(tmp_path: Path) -> None:
    many = {
        "events": [{"name": "A", "each": "$.body.list", "subscribe": "item.id != null"}],
        "limits": {"max_events": 2},
    }
    assert (await ask(tmp_path, MAPPED | many, json={"list": [{"id": 1}] * 2})).status_code == 200
    assert (await ask(tmp_path, MAPPED | many, json={"list": [{"id": 1}] * 3})).status_code == 413


@pytest.mark.parametrize("limits", [{"events_per_minute": 1}, {"bytes_per_minute": 10}])
async def test_a_source_that_has_used_up_its_quota_is_429(tmp_path: Path, limits: dict[str, int]) -> None:
    app = served(pipeline(outbox=Keeps()), source(tmp_path, MAPPED | {"limits": limits}))
    async with client(app) as http:
        answers = [await http.post("/webhook/shop", headers=KEY, json=[{"what": "Ping"}] * 2) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert "or `limits` in its file" in answers[1].json()["message"]
    assert int(answers[1].headers["retry-after"]) >= 1


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize(("encoding", "status"), [("br", 415), ("gzip, br", 415), ("zstd", 200), ("deflate", 200)])
async def test_what_a_body_is_packed_by_is_read_or_answered_by_the_names_of_what_is_read(
    content_type: str, encoding: str, status: int, tmp_path: Path
) -> None:
    body = b'{"id": "m-1", "what": "Order"}'
    packed = {"zstd": zstd.compress, "deflate": zlib.compress}.get(encoding, lambda _: b"\x0b\x02\x80{}")(body)
    headers = KEY | {"content-type": content_type, "content-encoding": encoding}
    answer = await ask(tmp_path, MAPPED, headers=headers, content=packed)
    assert answer.status_code == status
    assert ("zstd" in answer.headers.get("accept-encoding", "")) == (status == 415)
