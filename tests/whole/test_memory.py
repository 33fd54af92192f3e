"""Identity memory over HTTP: through two real servers on one store, with restarts, and what senders are told."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from app.errors import SettingsError
from app.main import Role, create_app
from app.outbox import open_outbox
from app.pipeline.identity_events import own_time
from tests.assembled import settings
from tests.identity.journeys import SETTINGS, anonymous_ids_of_the_deleted, first_rows, shown
from tests.process import PLAIN, Server
from tests.rounds import examples

#: Of all events of the journeys, the first so many are played by `make test`.
MANY = 500
#: Batches are of so many events; after so many of them a process starts anew.
TOGETHER, RESTART_AFTER = 25, 5


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def serving(folder: Path, clock: Clock, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The application that receives, over the store in `folder`."""
    app = create_app(configured(folder, **changes), role=Role.RECEIVE, clock=clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client,
    ):
        yield client


def configured(folder: Path, **changes: Any) -> Any:
    standard = {**SETTINGS, "max_event_age_days": 365}
    return settings(outbox_url=f"sqlite:///{folder}/pinrelay.db", **standard | changes)


async def payloads(url: str) -> dict[str, Any]:
    """Every finished event that waits, by message id."""
    outbox = open_outbox(url, settings(**SETTINGS, outbox_url=url), clock=lambda: 0)
    found = {}
    for row in first_rows(MANY):
        message = await outbox.message(row.event["messageId"])
        for each in message.deliveries:
            delivery = await outbox.delivery(each.delivery_id)
            assert delivery is not None
            assert delivery.payload is not None
            found[each.message_id] = orjson.loads(delivery.payload)
    await outbox.close()
    return found


def wrong(told: dict[str, Any], sent: dict[str, Any]) -> list[Any]:
    """Every delivery that does not hold what the journeys say, as it is and as it should be."""
    found = []
    for row in first_rows(MANY):
        if row.expected is not None:
            (line,) = told[row.event["messageId"]]
            event = sent.get(row.event["messageId"])
            if event is None and row.event.get("anonymousId") in anonymous_ids_of_the_deleted():
                continue  # it waited to be sent when its person asked for erasure
            is_ = shown(line | {"event": event})
            if is_ != row.expected:
                found.append((row.event["messageId"], is_, row.expected))
    return found


def set_clock(file: Path, now: float) -> None:
    """Let the servers read another time, whole."""
    new = file.with_suffix(".new")
    new.write_text(str(now), encoding="utf-8")
    new.replace(file)


@pytest.mark.whole
@pytest.mark.prove
def test_the_journeys_pass_over_http_with_two_processes_on_one_store_and_restarts(
    outbox_url: str, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    """By turns one of two real servers; each ends now and then, by the book or killed, and begins anew."""
    clock = tmp_path / "clock"
    set_clock(clock, 0)
    mine = {"outbox_url": outbox_url, "max_event_age_days": 365, **SETTINGS}
    servers = [start_server(arguments=(str(clock),), program="tests.whole.dated_server:main", **mine) for _ in range(2)]
    told: dict[str, Any] = {}
    with httpx.Client(timeout=60, **PLAIN) as client:
        some = first_rows(MANY)
        for number, start in enumerate(range(0, len(some), TOGETHER)):
            part, server = some[start : start + TOGETHER], servers[number % 2]
            if number % RESTART_AFTER == RESTART_AFTER - 1:
                server.kill() if number % 2 else server.stop()
                server.start()
            set_clock(clock, max(own_time(row.event, math.inf) for row in part))
            answer = client.post(f"{server.url}/webhook", json=[row.event for row in part])
            assert answer.status_code == 200, answer.text
            told |= {each["message_id"]: each["deliveries"] for each in answer.json()["events"]}
    assert wrong(told, asyncio.run(payloads(outbox_url))) == []


PERSON = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
IDENTIFY = {"type": "identify", "userId": "ann", "anonymousId": "x", "traits": {"email": "ann@shop.example"}}
PAGE = {"type": "page", "anonymousId": "x", "context": PERSON}


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/page"])
async def test_a_public_write_key_is_told_nothing_of_what_is_remembered(tmp_path: Path, path: str) -> None:
    clock, answers = Clock(), []
    clock.now = 1_800_000_000
    keys = {"write_keys": "shop:a-public-key-of-pages", "webhook_header": "x-proof: a-secret-of-the-server"}
    async with serving(tmp_path, clock, **keys) as client:
        for number in range(2):
            page = PAGE | {"messageId": f"p-{number}"}
            body = {"batch": [page]} if path == "/v1/batch" else page
            answer = await client.post(path, json=body, auth=("a-public-key-of-pages", ""))
            answers.append((answer.status_code, answer.content))
            proof = {"x-proof": "a-secret-of-the-server"}
            await client.post("/webhook", json=IDENTIFY | {"messageId": f"i-{number}"}, headers=proof)
        told = await client.post("/webhook", json=PAGE | {"messageId": "p-2"}, headers=proof)
    assert answers[0] == answers[1]
    assert set(told.json()["events"][0]["deliveries"][0]["memory"]) == {"em", "external_id"}


SEGMENTS_OF_PAGES = "name: pages\nkind: segment\nproofs: [{kind: anyone}]\n"
KEY = "a-public-key-of-pages"
PROOF = {"x-proof": "a-secret-of-the-server"}

ids = st.fixed_dictionaries({}, optional={"userId": st.sampled_from("uv"), "anonymousId": st.sampled_from("xy")})
#: What a stranger may say: with or without an identifier, an order that is like another, an opt-out, an alias.
said = st.fixed_dictionaries(
    {
        "type": st.sampled_from(("track", "page", "identify", "alias", "group", "screen", "delete")),
        "event": st.sampled_from(("Order Completed", "Product Added", 7)),
        "context": st.sampled_from(({}, PERSON, {"gpc": True}, {"traits": {"email": "eve@shop.example"}})),
        "properties": st.sampled_from(
            ({"order_id": "o", "revenue": 9, "currency": "EUR"}, {"opt_out": True}, {"email": "ann@shop.example"})
        ),
        "previousId": st.sampled_from("xu"),
    }
)
events_said = st.lists(st.tuples(ids, said).map(lambda both: both[0] | both[1]), min_size=1, max_size=6)
#: How a stranger sends events: one by one or together, with a write key or by a source that asks for nothing.
doors = st.sampled_from(("/v1/batch", "/v1/track", "/webhook/pages", "/webhook/pages, one by one"))
KNOWN = (
    IDENTIFY | {"userId": "u", "traits": {"email": "ann@shop.example", "phone": "+4915123456789"}},
    PAGE | {"context": PERSON | {"page": {"url": "https://shop.example/?epik=dj0yJnU9YWJj"}}},
    PAGE | {"anonymousId": "y", "properties": {"opt_out": True}},
    {"type": "identify", "userId": "v", "anonymousId": "y", "traits": {"email": "bob@shop.example"}},
)


def made_own(event: dict[str, Any], number: int, place: int) -> dict[str, Any]:
    """An event whose ids, and order, no other example has."""
    own = {name: f"{event[name]}-{number}" for name in ("userId", "anonymousId", "previousId") if name in event}
    order = {"order_id": f"o-{number}"} if "order_id" in event.get("properties", {}) else {}
    changed = {"properties": event["properties"] | order} if order else {}
    return event | own | changed | {"messageId": f"m-{number}-{place}", "timestamp": "2027-01-15T08:00:00Z"}


async def posted(client: httpx.AsyncClient, door: str, events: Sequence[dict[str, Any]]) -> list[Any]:
    """All that a stranger is answered."""
    path = door.partition(",")[0]
    if path == "/v1/batch":
        bodies: list[Any] = [{"batch": events}]
    else:
        bodies = [list(events)] if door == "/webhook/pages" else list(events)
    answers = [await client.post(path, json=body, auth=(KEY, "")) for body in bodies]
    return [(answer.status_code, dict(answer.headers), answer.content) for answer in answers]


def test_what_a_stranger_is_answered_is_the_same_with_memory_empty_and_full(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/pages.yaml").write_text(SEGMENTS_OF_PAGES, encoding="utf-8")
    keys: dict[str, Any] = {"write_keys": f"shop:{KEY}", "webhook_header": "x-proof: a-secret-of-the-server"}
    keys |= {"sources_dir": (tmp_path / "sources",), "sources": ("pages",)}
    clock, numbers = Clock(), count()
    clock.now = 1_800_000_000
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        folders = [tmp_path / name for name in ("empty", "full")]
        empty, full = (runner.run(stack.enter_async_context(serving(each, clock, **keys))) for each in folders)

        async def compare(door: str, events: list[dict[str, Any]]) -> None:
            number = next(numbers)
            known = [made_own(event, number, -place) for place, event in enumerate(KNOWN, start=1)]
            assert (await full.post("/webhook", json=known, headers=PROOF)).status_code == 200
            own = [made_own(event, number, place) for place, event in enumerate(events)]
            assert await posted(full, door, own) == await posted(empty, door, own)

        @settings_of_hypothesis(max_examples=examples(60))
        @given(doors, events_said)
        def answers_are_equal(door: str, events: list[dict[str, Any]]) -> None:
            runner.run(compare(door, events))

        answers_are_equal()
        runner.run(stack.aclose())


NOTHING: dict[str, Any] = {"groups": [], "linked": False, "erased": 0, "marked": 0}
ANN = IDENTIFY | {"traits": {"email": "ann@shop.example", "phone": "+4915123456789"}}
COMPANY = {"groupId": "g", "traits": {"email": "office@firm.example"}}
OF_Y: dict[str, Any] = {"type": "screen", "anonymousId": "y"}
#: Events in their order, each with what its sender is told of memory.
TOLD: tuple[tuple[dict[str, Any], Any], ...] = (
    (ANN, NOTHING | {"groups": ["em", "ph", "external_id"], "linked": True}),
    (ANN, NOTHING),
    ({"type": "alias", "userId": "anna", "previousId": "ann"}, NOTHING | {"groups": ["external_id"], "linked": True}),
    ({"type": "group", "userId": "anna", "anonymousId": "y", **COMPANY}, NOTHING | {"linked": True}),
    (OF_Y | {"context": PERSON | {"traits": {"firstName": "Ann"}}}, NOTHING | {"groups": ["name"]}),
    (PAGE, None),
    (OF_Y | {"context": PERSON, "properties": {"opt_out": True}}, NOTHING | {"erased": 3, "marked": 4}),
    (
        {"type": "identify", "userId": "bob", "traits": {"email": "bob@shop.example"}},
        NOTHING | {"groups": ["em", "external_id"]},
    ),
    ({"type": "delete", "userId": "bob"}, NOTHING | {"erased": 1}),
    ({"type": "delete", "userId": "bob"}, NOTHING),
)


async def test_senders_who_are_known_are_told_what_events_gave_to_memory(tmp_path: Path) -> None:
    clock = Clock()
    clock.now = 1_800_000_000
    told = []
    async with serving(tmp_path, clock) as client:
        for number, (event, _) in enumerate(TOLD):
            answer = await client.post("/webhook", json=[event | {"messageId": f"m-{number}", "timestamp": clock.now}])
            told.append(answer.json()["events"][0].get("to_memory"))
    assert told == [expected for _, expected in TOLD]


async def test_memory_needs_a_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="REMEMBER_SECRET"):
        create_app(configured(tmp_path, remember_secret=None))
