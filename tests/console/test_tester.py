import re
from html import unescape
from pathlib import Path

import orjson
import pytest

from app.console.tester import NoEvent, read_event
from app.errors import Fault
from app.receiving.reports import Draft, EventReport, PinterestReply
from app.types import Exit
from tests.console.world import ENQUEUED, UNMATCHED, World, open_world

EVENT = '{"type": "track", "event": "Checkout"}'


async def post(world: World, **form: str) -> str:
    answer = await world.browser.post("/console/tester", data=form)
    assert answer.status_code == 200
    return unescape(re.sub(r"\s+", " ", answer.text))


async def test_it_begins_with_an_example_and_its_result(world: World) -> None:
    page = unescape((await world.browser.get("/console/tester")).text)
    assert '"event": "Checkout"' in page
    assert '"timestamp": "2026-11-18T11:05:40Z"' in page
    assert "1 delivery to Pinterest:" in page


async def test_the_example_of_a_preset_can_be_asked_for(world: World) -> None:
    await world.browser.get("/console/tester?example=Lead")
    await post(world, example="Checkout", event="something else")
    await world.browser.get("/console/tester?example=Page+Visit")
    events = [event["event"] for event, _ in world.tester.asked]
    assert events == ["Generate Lead", "Checkout", "Checkout"], "one without an example gets the first there is"


async def test_without_any_example_it_asks_for_an_event(world: World) -> None:
    world.catalog.shown = []
    assert "There is nothing here yet" in (await world.browser.get("/console/tester")).text


async def test_the_result_shows_every_step(world: World) -> None:
    page = await post(world, event=EVENT)
    for said in (
        '<span class="mark">holds</span> <code>event = "Checkout"</code>',
        '<span class="mark">fails</span> <code>type = "page"</code>',
        "<code>$.properties.email</code><br><code>$.context.traits.email</code>",
        '<code>" Ada@Example.com"</code>',
        "<code>ada@example.com</code>",
        '<code>["b7e9a4"]</code>',
        "not sent",
        "currency: taken from the first product",
        "published schema agrees with it.",
    ):
        assert said in page
    assert page.index("Checkout</strong>") < page.index("Page Visit</strong>"), "what matched stands first"


async def test_it_echoes_the_event_escaped_and_asks_about_just_that(world: World) -> None:
    answer = await world.browser.post("/console/tester", data={"event": '{"type": "<script>"}\r\n'})
    assert "&lt;script&gt;" in answer.text
    assert "<script>" not in answer.text
    assert world.tester.asked == [({"type": "<script>"}, None)]


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (EventReport(presets=(UNMATCHED,)), "No preset matches this event."),
        (
            EventReport(presets=(type(ENQUEUED)(
                preset="Lead", enabled=False, matched=True, conditions=(), exit=Exit.INVALID, reason="no identifier"
            ),)),
            "Matched, but nothing would be sent.",
        ),
        (EventReport(refusal="it has no type"), "<strong>Refused.</strong> it has no type"),
        (
            EventReport(draft_faults=(Fault(file="presets/lead.yaml", path="/subscribe", message="column 3: no"),)),
            "1 fault:",
        ),
    ],
)  # fmt: skip
async def test_what_is_not_sent_is_explained(report: EventReport, said: str, world: World) -> None:
    world.tester.report = report
    assert said in await post(world, event=EVENT)


async def test_what_pinterests_schema_objects_to_is_listed(world: World) -> None:
    report = type(ENQUEUED)(
        preset="Checkout",
        enabled=True,
        matched=True,
        conditions=(),
        exit=Exit.ENQUEUED,
        payload=b"{}",
        schema_problems=("event_id: is missing",),
    )
    world.tester.report = EventReport(presets=(report,))
    page = await post(world, event=EVENT)
    assert "schema objects:" in page
    assert "event_id: is missing" in page


class TestText:
    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("", "There is nothing here yet"),
            ("  \n", "There is nothing here yet"),
            ('{"a":\n  oops}', "line 2, column 3"),
            ("[]", "begins with {"),
            ('"text"', "begins with {"),
            ('{"a": NaN}', "line 1, column 7"),
            ('{"a": 1e999}', "number is infinity"),
            ('{"a": "\\ud800"}', "no low surrogate"),
            ("[" * 100_000, "This is not JSON"),
        ],
    )
    async def test_what_is_no_event_is_told_with_its_place(self, text: str, fault: str, world: World) -> None:
        assert fault in await post(world, event=text)
        assert not world.tester.asked

    def test_of_an_array_the_first_event_is_taken(self) -> None:
        assert read_event('[{"a": 1}]') == ({"a": 1}, "")
        assert read_event('[{"a": 1}, {"a": 2}]') == ({"a": 1}, "The first of 2 events is shown.")

    async def test_and_the_page_says_so(self, world: World) -> None:
        assert "The first of 2 events is shown." in await post(world, event=f"[{EVENT}, {EVENT}]")

    def test_faults_name_no_content(self) -> None:
        with pytest.raises(NoEvent) as caught:
            read_event('{"email": "ada@example.com" oops}')
        assert "ada" not in str(caught.value)


class TestDraft:
    async def test_a_chosen_file_begins_as_it_runs(self, world: World) -> None:
        page = await post(world, event=EVENT, draft_file="presets/lead.yaml", draft_of="", draft_text="old")
        assert "name: Lead" in page
        assert world.tester.asked[-1][1] == Draft(file="presets/lead.yaml", text="name: Lead\n")

    async def test_what_was_edited_is_tried(self, world: World) -> None:
        page = await post(
            world, event=EVENT, draft_file="presets/lead.yaml", draft_of="presets/lead.yaml", draft_text="name: <New>"
        )
        assert "name: <New>" in page
        assert world.tester.asked[-1][1] == Draft(file="presets/lead.yaml", text="name: <New>")

    async def test_it_can_be_started_over(self, world: World) -> None:
        await post(
            world,
            event=EVENT,
            draft_file="presets/lead.yaml",
            draft_of="presets/lead.yaml",
            draft_text="spoilt",
            reset="yes",
        )
        assert world.tester.asked[-1][1] == Draft(file="presets/lead.yaml", text="name: Lead\n")

    @pytest.mark.parametrize("file", ["", "../../etc/passwd"])
    async def test_no_other_file_is_a_draft(self, file: str, world: World) -> None:
        await post(world, event=EVENT, draft_file=file, draft_of=file, draft_text="x")
        assert world.tester.asked[-1][1] is None


class TestSend:
    async def test_what_the_preset_made_is_sent_and_the_answer_shown(self, world: World) -> None:
        page = await post(world, event=EVENT, send="Checkout")
        assert world.tester.sent == [ENQUEUED.payload]
        assert "Answer 200" in page
        assert '{"num_events_received": 1}' in page

    async def test_no_answer_is_told_too(self, world: World) -> None:
        world.tester.answer = PinterestReply(status=None, body="timed out after 30 s")
        page = await post(world, event=EVENT, send="Checkout")
        assert "No answer" in page
        assert "timed out after 30 s" in page

    @pytest.mark.parametrize("preset", ["Page Visit", "Unknown"])
    async def test_nothing_is_sent_where_nothing_was_made(self, preset: str, world: World) -> None:
        await post(world, event=EVENT, send=preset)
        await post(world, event="not JSON", send="Checkout")
        assert world.tester.sent == []

    async def test_the_button_says_where_it_goes(self, tmp_path: Path) -> None:
        async with open_world(tmp_path, live=False) as world:
            assert "Send as a test to the sandbox" in await post(world, event=EVENT)


def files_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_nothing_of_the_event_is_kept(world: World, tmp_path: Path) -> None:
    await post(world, event=orjson.dumps({"type": "track", "email": "unmistakable@example.com"}).decode())
    assert b"unmistakable" not in files_of(tmp_path)
