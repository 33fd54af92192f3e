import asyncio
import time
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.catalog.sources import load_source
from app.console.tester_page import NoEvent, Pasted, arriving
from app.core.events import Outcome
from app.source import Intake, NamedSource
from tests.console.world import CHECKOUT as PRESET
from tests.console.world import LEAD, NOW, World, legible, open_world

CHECKOUT: dict[str, Any] = {
    "type": "track",
    "event": "Checkout",
    "messageId": "m-1",
    "timestamp": NOW - 60,
    "context": {"ip": "203.0.113.9", "traits": {"email": " Ada@Example.com"}},
    "properties": {"order_id": "SO-1", "phone": "+1 650 555 0100"},
}
EMAIL = "b5fc85e55755f9e0d030a14ab4429b1aabcf0b0b3bc20c0a8db8ff4ee9d3d8a7"


def text_of(**changes: Any) -> str:
    return orjson.dumps(CHECKOUT | changes).decode()


async def post(world: World, **form: str) -> str:
    answer = await world.browser.post("/console/tester", data=form)
    assert answer.status_code == 200
    return legible(answer)


async def receive(world: World, **changes: Any) -> None:
    """Let the event arrive for good."""
    ((line,),) = [
        each.deliveries
        for each in (await world.pipeline.accept(Intake([CHECKOUT | changes], now=world.now, is_trusted=True))).events
    ]
    assert line.outcome is Outcome.ENQUEUED


async def test_it_begins_with_an_example_and_its_result(world: World) -> None:
    page = unescape((await world.browser.get("/console/tester")).text)
    assert '"event": "Checkout"' in page
    assert '"timestamp": "2026-11-18T11:05:40Z"' in page
    assert "<strong>1 delivery to Pinterest:</strong> Checkout." in page


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"event": text_of(properties={"text": "a" * 262_144})}, 200, "larger than 262144 bytes"),
        ({"event": "[" + ",".join(["{}"] * 4_001) + "]"}, 200, "too many events"),
        ({f"f{number}": "" for number in range(5_001)}, 400, "more than 5,000 fields"),
        ({"event": text_of(properties={"text": "a" * 200_000})}, 200, "1 delivery to Pinterest:"),
    ],
)
async def test_it_takes_as_much_as_a_request(world: World, form: dict[str, str], status: int, said: str) -> None:
    answer = await world.browser.post("/console/tester", data=form)
    assert (answer.status_code, said in legible(answer)) == (status, True), legible(answer)[:3_000]


async def test_a_condition_shows_the_beginning_of_a_long_value(world: World) -> None:
    file = world.file("checkout")
    text = PRESET.replace('event = "Checkout"', 'contains(properties.text, "b")')
    event = text_of(properties={"text": "a" * 5_000})
    page = unescape(await post(world, event=event, draft_file=file, draft_of=file, draft_text=text))
    assert f'"{"a" * 999}…' in page
    assert f"{'a' * 1_000}…" not in page


async def test_the_example_of_a_preset_can_be_asked_for(world: World) -> None:
    for path, shown in (("?example=Lead", "Generate Lead"), ("?example=Page+Visit", "Checkout")):
        page = unescape((await world.browser.get(f"/console/tester{path}")).text)
        assert f'"event": "{shown}"' in page, "one without an example gets the first there is"
    assert '"event": "Generate Lead"' in await post(world, example="Lead", event="something else")


async def test_an_unknown_preset_is_not_found_and_the_nearest_is_named(world: World) -> None:
    for answer in (
        await world.browser.get("/console/tester?example=Chekout"),
        await world.browser.post("/console/tester", data={"event": text_of(), "send": "Chekout"}),
    ):
        assert answer.status_code == 404
        assert 'the nearest is "Checkout"' in unescape(answer.text)
    assert world.pinterest.calls == []


async def test_without_any_example_it_asks_for_an_event(world: World) -> None:
    world.without_examples()
    assert "There is nothing here yet" in (await world.browser.get("/console/tester")).text


async def test_the_result_shows_every_step(world: World) -> None:
    page = await post(world, event=text_of())
    for said in (
        '<span class="mark">holds</span> <code>event = "Checkout"</code>',
        '<span class="mark">fails</span> <code>type = "page"</code>',
        "<code>context.traits.email</code>",
        '<code>" Ada@Example.com"</code>',
        "<code>ada@example.com</code>",
        "would be sent",
        "<code>16505550100</code>",
        "published schema agrees with it.",
    ):
        assert said in page, said
    assert page.index("Checkout</strong>") < page.index("Page Visit</strong>"), "what matched stands first"


async def test_it_echoes_the_event_escaped(world: World) -> None:
    answer = await world.browser.post("/console/tester", data={"event": '{"type": "<script>"}\r\n'})
    assert "&lt;script&gt;" in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"event": "Basket Emptied"}, "<strong>No preset matches this event.</strong>"),
        ({"context": {}, "properties": {}}, "<strong>Matched, but nothing would be sent.</strong>"),
        ({"context": {}, "properties": {}}, "user_data needs at least one of"),
        ({"type": ""}, "<strong>Refused.</strong> <code>type</code> is missing"),
        ({"integrations": {"All": False}}, "<strong>Withheld.</strong> integrations: All is off"),
        ({"event": "Generate Lead"}, "<code>enabled: false</code> in its file takes it out"),
        ({"type": "page", "context": {"bot": "yes"}}, '<code>context.bot = "yes"</code>, found <code>"yes"</code>'),
    ],
)
async def test_what_is_not_sent_is_explained(changes: dict[str, Any], said: str, world: World) -> None:
    assert said in await post(world, event=text_of(**changes))


async def test_a_mapped_field_that_finds_nothing_shows_the_nearest_path(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        own = PRESET.replace(
            "{event_name: checkout}", "{event_name: checkout, app_id: {'@path': $.properties.orderId}}"
        )
        (tmp_path / "presets/checkout.yaml").write_text(own, encoding="utf-8")
        world.running.reload()
        page = await post(world, event=text_of())
        elsewhere = await post(world, event=text_of(properties={"note": "x"}))

    row = '<th scope="row">app_id</th> <td><code>properties.orderId</code></td> <td class="value">'
    nothing = '<span class="dim">nothing</span>'
    assert f'{row}{nothing}<br><span class="dim">The event has</span> <code>properties.order_id</code></td>' in page
    assert f"{row}{nothing}</td>" in elsewhere


async def test_what_was_sent_before_is_a_duplicate_and_since_when(world: World) -> None:
    await receive(world)
    world.now = NOW + 120
    page = await post(world, event=text_of())
    assert "<strong>Sent before.</strong>" in page
    assert "the same event_id was taken before, as delivery 1, <time" in page
    assert "2026-11-18 11:06:40 UTC" in page
    again = await post(world, event=text_of(messageId="m-2"))
    assert "the same order_id was taken before" in again


@pytest.mark.parametrize(
    ("events_while_off", "title", "said"),
    [
        ("delay", "1 delivery to Pinterest:", "kept for now: the preset is switched off"),
        ("withhold", "Withheld.", "the preset is switched off"),
    ],
)
async def test_a_switch_shows_as_the_door_obeys_it(
    events_while_off: str, title: str, said: str, tmp_path: Path
) -> None:
    async with open_world(tmp_path, events_while_off=events_while_off) as world:
        await world.coordination.switch("Checkout", on=False)
        page = await post(world, event=text_of())
    assert f"<strong>{title}</strong>" in page
    assert said in page


async def test_what_pinterest_would_object_to_is_listed(tmp_path: Path) -> None:
    async with open_world(tmp_path, max_event_age_days=30) as world:
        page = await post(world, event=text_of(timestamp=NOW - 10 * 86_400))
    assert "schema objects:" in page
    assert "Given timestamp is in the past" in page


class TestText:
    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("", "There is nothing here yet"),
            ("  \n", "There is nothing here yet"),
            ('{"a":\n  oops}', "line 2, column 3"),
            ("[]", "There is no event in this array."),
            ('"text"', "the event is not a JSON object"),
            ("[" * 100_000, "This is not JSON"),
            ("[" * 1_500 + "]" * 1_500, "This is not JSON: line 1, column"),
            ('{"type": "page", "properties": ' + "[" * 80 + "]" * 80 + "}", "nested deeper than 64 levels"),
        ],
    )
    async def test_what_is_no_event_is_told_with_its_place(self, text: str, fault: str, world: World) -> None:
        assert fault in await post(world, event=text)

    @pytest.mark.parametrize(
        "text",
        [
            text_of(),
            f"[{text_of()}]",
            f'{{"json": {text_of()}}}',
            f'{{"batch": [{text_of()}]}}',
            text_of().replace('"SO-1"', "NaN"),
            text_of().replace("SO-1", "\\ud800"),
        ],
    )
    async def test_what_the_door_takes_is_taken(self, text: str, world: World) -> None:
        assert "1 delivery to Pinterest:" in await post(world, event=text)

    @pytest.mark.slow
    async def test_of_several_the_first_is_shown_and_the_page_says_so(self, world: World) -> None:
        page = await post(world, event=f"[{text_of()}, {text_of(type='page')}]")
        assert "The text holds 2 events. Shown is" in page
        assert "1 delivery to Pinterest:</strong> Checkout." in page

    def test_faults_name_no_content(self) -> None:
        with pytest.raises(NoEvent) as caught:
            arriving(Pasted(text='{"email": "ada@example.com" oops}'), None, NOW)
        assert "ada" not in str(caught.value)


class TestDraft:
    async def test_a_chosen_file_begins_as_it_runs(self, world: World) -> None:
        page = await post(world, event=text_of(), draft_file=world.file("lead"), draft_of="", draft_text="old")
        assert LEAD.strip().splitlines()[0] in page
        assert "old</textarea>" not in page

    async def test_what_was_edited_is_tried_and_changes_nothing(self, world: World) -> None:
        file = world.file("lead")
        text = LEAD.replace("false", "true").replace('"Generate Lead"', '"Checkout"').replace("a: b", "<new>")
        page = await post(world, event=text_of(), draft_file=file, draft_of=file, draft_text=text)
        assert "2 deliveries to Pinterest:</strong> Checkout, Lead." in page
        assert "1 delivery to Pinterest:" in await post(world, event=text_of())

    async def test_the_mapping_can_be_tried_too(self, world: World) -> None:
        (file,) = world.running.mapping_texts
        text = world.running.texts[file].replace("$.messageId", "$.properties.order_id")
        page = await post(world, event=text_of(), draft_file=file, draft_of=file, draft_text=text)
        assert '"event_id": "SO-1"' in page

    async def test_its_faults_are_told(self, world: World) -> None:
        file = world.file("lead")
        page = await post(
            world, event=text_of(), draft_file=file, draft_of=file, draft_text=LEAD.replace("track", "x") + "<b>: 1"
        )
        assert "The draft cannot be used.</strong> 1 fault:" in page
        assert "/<b>" in page

    async def test_it_can_be_started_over(self, world: World) -> None:
        file = world.file("lead")
        page = await post(world, event=text_of(), draft_file=file, draft_of=file, draft_text="spoilt", reset="yes")
        assert "spoilt" not in page
        assert "1 delivery to Pinterest:" in page

    @pytest.mark.parametrize("file", ["", "../../etc/passwd"])
    async def test_no_other_file_is_a_draft(self, file: str, world: World) -> None:
        page = await post(world, event=text_of(), draft_file=file, draft_of=file, draft_text="x")
        assert "1 delivery to Pinterest:" in page
        assert "Draft of" not in page


class TestSend:
    async def test_what_the_preset_made_is_sent_as_a_test_and_the_answer_shown(self, world: World) -> None:
        page = await post(world, event=text_of(), send="Checkout")
        (call,) = world.pinterest.calls
        assert call.url.params["test"] == "true"
        (sent,) = orjson.loads(call.content)["data"]
        assert (sent["event_name"], sent["event_id"]) == ("checkout", "m-1")
        assert "Answer 200" in page
        assert '{"num_events_received":1}' in page

    async def test_no_answer_is_told_too(self, world: World) -> None:
        world.pinterest.answer = None
        page = await post(world, event=text_of(), send="Checkout")
        assert "No answer" in page
        assert "Pinterest could not be reached" in page

    async def test_nothing_is_sent_where_nothing_was_made(self, world: World) -> None:
        await post(world, event=text_of(), send="Page Visit")
        await post(world, event="not JSON", send="Checkout")
        await post(world, event=text_of(integrations={"All": False}), send="Checkout")
        assert world.pinterest.calls == []

    async def test_the_button_says_where_it_goes(self, tmp_path: Path) -> None:
        async with open_world(tmp_path, live=False) as world:
            assert "Send as a test to the sandbox" in await post(world, event=text_of())


def files_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


async def test_nothing_of_the_event_is_kept(world: World, tmp_path: Path) -> None:
    await post(world, event=orjson.dumps({"type": "track", "email": "unmistakable@example.com"}).decode())
    assert b"unmistakable" not in files_of(tmp_path)


# ---------------------------------------------------------------------------------------------------------------------
# Sources


def source_file(folder: Path, name: str, text: str) -> NamedSource:
    (folder / f"{name}.yaml").write_text(f"name: {name}\n{text}", encoding="utf-8")
    return load_source(folder, name)


SHOP = """
kind: mapped
proofs: [{kind: header, header: X-Key, secret: {env: NOT_SET}}]
mapping: {messageId: {"@path": $.item.id}, properties: {order_id: {"@path": $.item.id}, email: {"@path": $.query.who}}}
events:
  - name: sales
    subscribe: headers.x-topic = "sales"
    each: $.body.sales
    mapping: {type: track, event: Checkout}
pixel: true
"""
STRICT = "kind: segment\nproofs: [{kind: anyone}]\nconsent_categories: [ads]\n"
SALES: dict[str, str] = {
    "source": "shop",
    "event": '{"sales": [{"id": "S-1"}, {"id": "S-2"}]}',
    "headers": "X-Topic: sales\nX-Key: s3cret",
    "query": "who=ada@example.com",
}


@pytest.fixture
async def with_sources(tmp_path: Path) -> AsyncIterator[World]:
    (tmp_path / "sources").mkdir()
    files = {"shop": SHOP, "strict": STRICT, "off": STRICT + "enabled: false\n"}
    sources = {name: source_file(tmp_path / "sources", name, text) for name, text in files.items()}
    async with open_world(tmp_path, sources=sources) as world:
        yield world


async def test_a_source_is_chosen_where_there_are_several(with_sources: World, tmp_path: Path) -> None:
    page = await post(with_sources, event=text_of(), source="strict")
    assert '<option value="strict" selected>strict</option>' in page
    (tmp_path / "other").mkdir()
    async with open_world(tmp_path / "other") as alone:
        assert 'name="source"' not in await post(alone, event=text_of())


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("default", "<strong>1 delivery to Pinterest:</strong> Checkout."),
        ("unheard-of", "<strong>1 delivery to Pinterest:</strong> Checkout."),
        ("strict", "consent: "),
        ("off", "the source is switched off"),
    ],
)
async def test_what_a_source_may_send_on_is_asked_as_at_its_door(with_sources: World, source: str, told: str) -> None:
    opt_outs = {"consent": {"categoryPreferences": {"ads": False}}}
    page = await post(with_sources, event=text_of(context=CHECKOUT["context"] | opt_outs), source=source)
    assert told in page
    assert ("1 delivery to Pinterest" in page) is (source in {"default", "unheard-of"})


async def test_a_request_of_a_mapped_source_gives_the_events_that_it_would_give(with_sources: World) -> None:
    first = await post(with_sources, **SALES)
    assert "The request gives 2 events. Shown is" in first
    assert '"messageId": "S-1"' in first
    assert "<code>ada@example.com</code>" in first, "the query was read"
    assert "<strong>1 delivery to Pinterest:</strong> Checkout." in first
    second = await post(with_sources, **SALES, number="2")
    assert '"messageId": "S-2"' in second
    sent = await post(with_sources, **SALES, chosen="2", send="Checkout")
    assert '"messageId": "S-2"' in sent
    assert b"S-2" in with_sources.pinterest.calls[0].content


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"headers": ""}, "no trigger of the source matches it"),
        ({"headers": "X-Topic sales"}, "Line 1 of the headers is not a header"),
        ({"headers": "X-Topic: sales\nContent-Type: image/png"}, "content type"),
        ({"event": '{"sales"'}, "This is not JSON: line 1"),
        ({"event": "", "query": ""}, "paste a request's body"),
        ({"event": ""}, "no trigger of the source matches it"),
        ({"event": "[]"}, "There is no event in this array."),
    ],
    ids=["no header", "a line that is none", "content", "no JSON", "nothing", "a pixel", "an empty array"],
)
async def test_a_request_that_gives_no_event_says_why(with_sources: World, changes: dict[str, str], told: str) -> None:
    assert told in await post(with_sources, **(SALES | changes))


def keys(number: int, indent: str = "") -> str:
    return "".join(f"{indent}k{each}: 1\n" for each in range(number))


FLAT = "mapping: {event_name: checkout}\n"
MAPPED = "mapping:\n  event_name: checkout\n"
#: Drafts that take long to read, and what is told of each.
COSTLY = {
    "unknown keys": (PRESET + keys(20_000), "the file has more than 50 faults: mend these first"),
    "more of them": (PRESET + keys(40_000), "characters, 250,000 at most are allowed"),
    "unknown fields": (PRESET.replace(FLAT, MAPPED + keys(15_000, "  ")), "the file has more than 50 faults"),
    "unknown members": (PRESET.replace(FLAT, f"{MAPPED}  custom_data:\n{keys(12_000, '    ')}"), "more than 50 faults"),
    "unknown directives": (
        PRESET.replace(FLAT, MAPPED + keys(8_000, "  ").replace(": 1", ": {'@n': 1}")),
        "more than 50 faults",
    ),
    "a long list": (f"{PRESET}x: [{'1,' * 60_000}]\n", "unknown key"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", COSTLY)
async def test_a_draft_that_takes_long_holds_nobody_up(kind: str, world: World) -> None:
    text, told = COSTLY[kind]
    waits: list[float] = []

    async def look() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            waits.append(time.monotonic() - began)

    others = asyncio.create_task(look())
    file = world.file("checkout")
    page = await post(world, draft_file=file, draft_of=file, draft_text=text, event=text_of())
    others.cancel()
    assert told in page
    assert page.partition("<main")[2].count("<li>") < 60
    assert max(waits, default=0) < 1
