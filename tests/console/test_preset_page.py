"""A preset's page and its visual editor: what is picked becomes text, and shows what it does to real events."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from app.catalog import ACTION
from app.catalog.document import YamlDocument
from app.catalog.files import ActionFile, FieldSpec
from app.catalog.presets import unread_paths
from app.catalog.yaml_files import parse_yaml
from app.console.chips import Chip, chip_of, in_words, typed_value
from app.console.drafts import begun, both_changed, changed, moved, rebased
from app.console.preset_editor import (
    changes_in_words,
    field_groups,
    leaves,
    seen_paths,
    with_field,
    with_meta,
)
from app.core.shared_values import SharedKey
from app.mapping import MISSING
from app.source import Arrival, Intake, read_event
from tests.console.test_publish_page import folders
from tests.console.world import CHECKOUT, MAPPING, NOW, World, legible, open_world
from tests.process import ROOT
from tests.rows import every_row

FILE = "presets/checkout.yaml"
ON: dict[str, Any] = {"quarantine_hours": 72, "quarantine_key": "a key of the quarantine, long enough"}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path, **ON, **folders(tmp_path)) as world:
        yield world


def open_action() -> ActionFile:
    """The mapping of the world."""
    return ActionFile.model_validate(parse_yaml(MAPPING))


async def edit(world: World, do: str, **more: str) -> str:
    """Do one edit as a browser does, and return the page that it leads to."""
    answer = await world.browser.post(
        "/console/preset/edit", data={"file": FILE, "do": do, **more}, follow_redirects=True
    )
    assert answer.status_code == 200, legible(answer)
    return answer.text


def text_of(page: str) -> str:
    """The YAML of the draft that a page shows."""
    return unescape(page.partition('<textarea id="text"')[2].partition(">\n")[2].partition("</textarea>")[0])


def one_line(page: str) -> str:
    return re.sub(r"\s+", " ", page)


async def opened(world: World, file: str = FILE) -> str:
    return (await world.browser.get("/console/preset/edit", params={"file": file})).text


async def test_the_page_of_a_preset_says_what_it_takes_and_sends(shop: World) -> None:
    page = legible(await shop.browser.get("/console/preset", params={"name": "Checkout"}))
    assert "all of these" in page
    assert "<code>event</code> = <code>Checkout</code>" in page
    assert "<code>checkout</code> as <code>web</code>" in page
    assert (await shop.browser.get("/console/preset", params={"name": "none"})).status_code == 404


@pytest.mark.slow
async def test_the_page_of_a_preset_says_what_became_of_its_events_and_links_to_them(shop: World) -> None:
    for number in range(3):
        event: dict[str, Any] = {"type": "track", "event": "Checkout", "messageId": f"m-{number}"}
        event["timestamp"] = "2026-11-18T11:06:00Z"
        event["context"] = {"traits": {"email": "jane@example.com"}} if number else {}
        await shop.pipeline.accept(Intake([read_event(event, Arrival.at(NOW))], now=NOW, is_trusted=True))
    page = legible(await shop.browser.get("/console/preset", params={"name": "Checkout"}))
    links = re.findall(r'(\S+(?: \S+)*?) <a href="(/console/deliveries\?[^"]+)"[^>]*>(\d+)</a>', page)
    assert {(words.rsplit(">", 1)[-1].split(", ")[-1].lower(), number) for words, _, number in links} >= {
        ("matched", "3"),
        ("to be sent", "2"),
        ("invalid", "1"),
    }
    assert all("preset=Checkout" in address for _, address, _ in links)


async def test_a_preset_is_switched_on_its_page_with_its_history(shop: World) -> None:
    address = {"name": "Checkout"}
    assert "lists no use of this switch" in legible(await shop.browser.get("/console/preset", params=address))
    form = {"preset": "Checkout", "on": "no", "to": "preset"}
    page = legible(await shop.browser.post("/console/mappings/switch", data=form, follow_redirects=True))
    assert "switched off</span>" in page
    assert re.search(r"<li>switched: off <span", page)
    assert 'href="/console/activity?target=preset+Checkout"' in page
    await shop.browser.post("/console/mappings/switch", data={"preset": "Lead", "on": "no"})
    activity = legible(await shop.browser.get("/console/activity", params={"target": "preset Checkout"}))
    assert "Newest of preset Checkout" in activity
    assert "preset Lead" not in activity


async def test_the_page_of_a_preset_says_how_its_tests_end(shop: World) -> None:
    shop.write("checkout", CHECKOUT + "tests: [{name: A purchase, expect: {fields: {event_name: lead}}}]\n")
    shop.running.failing, failing = lambda _: (), shop.running.failing
    shop.running.reload()  # as a start does, which takes up files whose tests fail
    shop.running.failing = failing
    page = legible(await shop.browser.get("/console/preset", params={"name": "Checkout"}))
    assert re.search(r'fails</span> A purchase <span class="trouble">.*expected "lead", got "checkout"', page)
    assert "It has none." in legible(await shop.browser.get("/console/preset", params={"name": "Lead"}))


WORDS: dict[str, tuple[Any, str]] = {
    "places": ({"@coalesce": [{"@path": "$.a"}, {"@path": "$.b"}]}, "$.a, then $.b"),
    "a choice": ({"@if": {"exists": {"@path": "$.a"}, "then": 1}}, "if (exists: $.a, then: 1)"),
    "a text": ({"@liquid": "{{ a }}"}, "{{ a }}"),
    "a constant": (True, "true"),
    "a function": ({"@multiply": [{"@path": "$.a"}, 0.01]}, "product of ($.a, 0.01)"),
    "items": (
        {"@sum": {"@each": ["$.properties.items", {"id": {"@path": "$.b"}}]}},
        "sum of (each item of ($.properties.items, id: $.b))",
    ),
    "a list": (["a", 2], "a, 2"),
    "an unknown directive": ({"@other": 1}, '{"@other":1}'),
}


@every_row(("given", "expected"), WORDS.values(), ids=WORDS)
def test_where_a_value_comes_from_is_said_in_words(given: Any, expected: str) -> None:
    assert in_words(given) == expected


def test_a_difference_in_words_names_what_people_see() -> None:
    action = open_action()
    was, becomes = CHECKOUT, CHECKOUT.replace("name: Checkout\n", "name: Buy\nhold: 1h\n").replace("checkout}", "lead}")
    changes = changes_in_words(was, becomes, action)
    assert [tuple(each)[:4] for each in changes] == [
        ("Name", "", "Checkout", "Buy"),
        ("Name", "event_name", "checkout", "lead"),
        ("Hold", "", "nothing", "1h"),
    ]
    new = changes_in_words("", "other: 1\nmapping: {x: {y: 1}}\n", action)
    assert [each.label for each in new] == ["other", "Mapping"]
    many = "mapping: {x: {'@coalesce': [%s]}}"
    places = [f"{{'@path': $.properties.place_{number}}}" for number in range(40)]
    longer, other = (many % ", ".join([*places, last]) for last in ("a", "b"))
    assert changes_in_words(longer, other, action)[0][2:4] == ("…, then a", "…, then b")
    assert changes_in_words("description: a\n", f"description: {'b' * 900}\n", action)[0].becomes.endswith("b…")


@pytest.mark.slow
async def test_the_rows_are_the_text_and_the_text_stays_byte_by_byte(shop: World) -> None:
    page = await opened(shop)
    assert text_of(page) == shop.running.preset_texts[shop.file("checkout")]
    assert 'value="event"' in page
    assert 'value="Checkout"' in page


EVENT_ID = {"path": "event_id"}
EDITS: dict[str, tuple[str, dict[str, str], str, str]] = {
    "a condition": (
        "condition",
        {"place": "1", "field": "event", "operator": "=", "value": "Order"},
        'event = "Order"',
        "change a condition",
    ),
    "one more": (
        "add",
        {"place": "1", "joiner": "or", "field": "event", "operator": "contains", "value": "x"},
        'AND (event = "Checkout" or contains(event, "x"))',
        "add a condition",
    ),
    "one less": ("remove", {"place": "0"}, 'subscribe: event = "Checkout"', "remove a condition"),
    "any for all": ("join", {"place": "", "joiner": "or"}, 'type = "track" or event', "join conditions"),
    "the opposite": ("negate", {"place": "1"}, 'event != "Checkout"', "turn a condition round"),
    "a place": (
        "add-chip",
        EVENT_ID | {"value": "userId", "item": "0"},
        'event_id: {"@path": $.userId}',
        "map event_id",
    ),
    "a constant": (
        "chip",
        {"path": "event_name", "kind": "constant", "value": "lead"},
        "mapping: {event_name: lead}",
        "map event_name",
    ),
    "a template": (
        "add-chip",
        EVENT_ID | {"value": "a-{{ messageId }}", "item": "0"},
        'event_id: {"@liquid": "a-{{ messageId }}"}',
        "map event_id",
    ),
    "the default as chips": (
        "customise",
        {"path": "user_data.email"},
        '"@if": {exists: {"@path": $.properties.email}, then',
        "map user_data.email",
    ),
    "the name": ("meta", {"name": "name", "value": "Buy"}, "name: Buy\n", "change the name"),
    "no description": (
        "meta",
        {"name": "description", "value": ""},
        "name: Checkout\nsubscribe",
        "change the description",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("do", "more", "expected", "done"), EDITS.values(), ids=EDITS)
async def test_an_edit_is_made_in_the_text_and_taken_back(
    shop: World, do: str, more: dict[str, str], expected: str, done: str
) -> None:
    before = text_of(await opened(shop))
    page = await edit(shop, do, **more)
    assert expected in text_of(page)
    assert f"Undo: {done}" in page
    undone = await edit(shop, "undo")
    assert text_of(undone) == before
    assert f"Redo: {done}" in undone
    assert text_of(await edit(shop, "redo")) == text_of(page)
    assert text_of(await edit(shop, "reset")) == before


#: Edits of one field, and the mapping after each.
CHIP_EDITS: list[tuple[str, dict[str, str], str]] = [
    ("add-chip", {"value": "properties.id", "item": "0"}, '{"@path": $.properties.id}'),
    ("add-chip", {"value": "userId", "item": "1"}, '{"@coalesce": [{"@path": $.properties.id}, {"@path": $.userId}]}'),
    ("add-chip", {"value": "", "item": "2"}, '{"@coalesce": [{"@path": $.properties.id}, {"@path": $.userId}]}'),
    (
        "add-chip",
        {"value": "none", "item": "2"},
        '{"@coalesce": [{"@path": $.properties.id}, {"@path": $.userId}, none]}',
    ),
    (
        "move-chip",
        {"at": '["@coalesce",1]', "by": "-1"},
        '{"@coalesce": [{"@path": $.userId}, {"@path": $.properties.id}, none]}',
    ),
    (
        "move-chip",
        {"at": '["@coalesce",0]', "by": "-1"},
        '{"@coalesce": [{"@path": $.userId}, {"@path": $.properties.id}, none]}',
    ),
    (
        "remove-chip",
        {"at": '["@coalesce",2]'},
        '{"@coalesce": [{"@path": $.userId}, {"@path": $.properties.id}]}',
    ),
    (
        "function",
        {"at": '["@coalesce",1]', "function": "lower"},
        '{"@coalesce": [{"@path": $.userId}, {"@case": {operator: lower, value: {"@path": $.properties.id}}}]}',
    ),
    (
        "chip",
        {"at": '["@coalesce",1,"@case","value"]', "kind": "path", "value": "properties.sku"},
        '{"@coalesce": [{"@path": $.userId}, {"@case": {operator: lower, value: {"@path": $.properties.sku}}}]}',
    ),
    (
        "chip",
        {"at": '["@coalesce",1,"@case","operator"]', "kind": "constant", "value": "upper"},
        '{"@coalesce": [{"@path": $.userId}, {"@case": {operator: upper, value: {"@path": $.properties.sku}}}]}',
    ),
    (
        "chip",
        {"at": '["@coalesce",0]', "kind": "constant", "value": "userId"},
        '{"@coalesce": [userId, {"@case": {operator: upper, value: {"@path": $.properties.sku}}}]}',
    ),
    ("chip", {"at": '["@coalesce",0]', "kind": "constant", "value": " "}, '{"@case": {operator: upper'),
    ("function", {"at": '["@coalesce",0]', "function": ""}, '{"@coalesce": [upper]}'),
    ("chip", {"at": '["@coalesce",0]', "kind": "path", "value": "properties.items"}, "$.properties.items"),
    (
        "function",
        {"at": '["@coalesce",0]', "function": "each"},
        '[{"@sum": {"@each": [$.properties.items, {"@path": $.price}]}}]',
    ),
    (
        "chip",
        {"at": '["@coalesce",0,"@sum","@each",0]', "kind": "root", "value": "properties.lines"},
        '"@each": [$.properties.lines, {"@path": $.price}]',
    ),
    ("default", {}, "mapping: {event_name: checkout}"),
]


@pytest.mark.slow
async def test_chips_are_edited_one_after_the_other(shop: World) -> None:
    for do, form, expected in CHIP_EDITS:
        text = text_of(await edit(shop, do, **EVENT_ID, **form))
        assert (do, form, expected in text) == (do, form, True), text
    assert text == shop.running.preset_texts[shop.file("checkout")]


async def test_a_removed_chip_leaves_no_empty_object(shop: World) -> None:
    await edit(shop, "add-chip", path="user_data.phone", value="context.phone")
    page = await edit(shop, "remove-chip", path="user_data.phone", at="[]")
    assert text_of(page) == shop.running.preset_texts[shop.file("checkout")]


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "no trigger": (
        {"do": "condition", "place": "1", "field": "evnt", "operator": "=", "value": "x"},
        "there is no field `evnt`",
    ),
    "no part": ({"do": "negate", "place": "9"}, "Nothing was changed"),
    "no group": ({"do": "join", "place": "0", "joiner": "or"}, "Nothing was changed"),
    "no field": ({"do": "chip", "path": "none", "kind": "constant"}, "there is no such field"),
    "no function": ({"do": "function", "path": "event_name", "function": "x"}, "there is no function 'x'"),
    "no function to remove": ({"do": "function", "path": "event_name"}, "there is no function ''"),
    "no YAML": ({"do": "text", "text": "a: [1"}, "not readable YAML"),
    "no row": ({"do": "meta", "name": "action", "value": "x"}, "there is no row 'action'"),
    "no edit": ({"do": "other"}, "there is no edit 'other'"),
    "no JSON": ({"do": "chip", "path": "event_name", "at": "[", "value": "x"}, "'[' is not a path"),
    "no list": ({"do": "chip", "path": "event_name", "at": "{}", "value": "x"}, "'{}' is not a path"),
    "no step": ({"do": "chip", "path": "event_name", "at": "[[]]", "value": "x"}, "'[[]]' is not a path"),
    "no published value": ({"do": "theirs", "path": "["}, "'[' is not a path"),
    "no event": ({"do": "pin", "sample": "s99"}, "choose an event first"),
}


@pytest.mark.parametrize(("form", "expected"), REFUSED.values(), ids=REFUSED)
async def test_an_edit_that_cannot_be_says_why_and_changes_nothing(
    shop: World, form: dict[str, str], expected: str
) -> None:
    answer = await shop.browser.post("/console/preset/edit", data={"file": FILE, **form})
    assert answer.status_code == 422
    assert expected in legible(answer)
    assert text_of(answer.text) == shop.running.preset_texts[shop.file("checkout")]


async def test_a_draft_with_faults_is_kept_and_its_faults_are_at_their_row(shop: World) -> None:
    page = one_line(await edit(shop, "add-chip", path="event_id", value="{{ x"))
    assert re.search(r'id="found-event_id"><span class="trouble">[^<]+', page)
    assert "This draft cannot run yet" in page or "trouble" in page


async def test_typing_is_stored_and_returns_the_effect(shop: World) -> None:
    form = {"file": FILE, "do": "chip", "path": "event_name", "kind": "constant", "part": "effect"}
    for value in ("lea", "lead"):
        answer = await shop.browser.post("/console/preset/edit", data=form | {"value": value, "same_step": "yes"})
    assert '<span class="added">+ "event_name": "lead",</span>' in legible(answer)
    parts = re.findall(r'<(?:div|section)[^>]* id="(history|told|takes|effect)"', answer.text)
    assert parts == ["history", "told", "takes", "effect"]
    page = await opened(shop)
    assert "event_name: lead" in text_of(page)
    for place in ("user_data.email", "event_name"):
        both = [text.partition(f'id="found-{place}">')[2].partition("</p>")[0].split() for text in (answer.text, page)]
        assert both[0]
        assert both[0] == both[1]
    assert 'id="found-0"><span class="badge delivered">holds' in answer.text
    assert len(answer.text) < len(page) / 2
    assert "event_name: checkout" in text_of(await edit(shop, "undo"))  # typing is one step


@pytest.mark.slow
async def test_the_editor_of_all_fields_is_short(tmp_path: Path) -> None:
    async with open_world(tmp_path, **folders(tmp_path), mappings_dir=(ROOT / "mappings",)) as world:
        answer = await world.browser.get("/console/preset/edit", params={"file": FILE})
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.text.count('class="field') > 60
        assert "in YAML" not in answer.text
        assert int(answer.headers["content-length"]) < 60_000


@pytest.mark.slow
async def test_a_new_preset_takes_the_events_of_a_name(shop: World) -> None:
    kind = {"type": "track", "name": "Quote Requested", "source": "default"}
    page = (await shop.browser.get("/console/preset/edit", params=kind)).text
    assert 'event = \\"Quote Requested' in text_of(page)
    assert "New preset: " in page
    file = unescape(page.partition('name="draft" value="')[2].partition('"')[0])
    answer = await shop.browser.post(
        "/console/preset/edit",
        data={"file": file, "do": "chip", "path": "event_name", "kind": "constant", "value": "lead"},
        follow_redirects=True,
    )
    assert "lead" in text_of(answer.text)
    again = (await shop.browser.get("/console/preset/edit", params=kind)).text
    assert text_of(again) == text_of(answer.text)


@pytest.mark.parametrize("file", ["presets/../x", "x.json", "", "presets/.x.yaml"])
async def test_what_is_no_preset_is_not_edited(shop: World, file: str) -> None:
    assert (await shop.browser.get("/console/preset/edit", params={"file": file})).status_code == 404
    assert (await shop.browser.post("/console/preset/edit", data={"file": file, "do": "undo"})).status_code == 404


@pytest.mark.slow
async def test_real_events_are_counted_walked_and_kept_as_tests(tmp_path: Path) -> None:
    async with open_world(tmp_path, samples_per_name=5, **ON, **folders(tmp_path)) as world:
        for number in range(3):
            event = {
                "type": "track",
                "event": "Checkout" if number else "Order Placed",
                "messageId": f"m-{number}",
                "timestamp": "2026-11-18T11:06:00Z",
                "properties": {"email": "jane@example.com", "order_id": f"SO-{number}"},
            }
            await world.pipeline.accept(Intake([read_event(event, Arrival.at(NOW))], now=NOW, is_trusted=True))
        page = legible(await world.browser.get("/console/preset/edit", params={"file": FILE}))
        assert "Takes <strong>2 of 3</strong> real events" in page
        assert "properties.order_id" in page
        narrower = one_line(
            await edit(world, "condition", place="1", field="event", operator="=", value="Order Placed")
        )
        assert "Takes <strong>1 of 3</strong> real events, 1 fewer than what runs" in narrower
        assert 'data-key="j"' in narrower
        await edit(world, "undo")
        shown = await opened(world)
        chosen = re.search(r'<option value="(s\d+)" selected', shown)
        assert chosen
        kept = text_of(await edit(world, "pin", sample=chosen[1]))
        assert "Recorded: Checkout" in kept
        assert "jane@example.com" not in kept


#: Settings of the ad account -> the settings of the test, and a part of the test.
ACCOUNT_SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "the defaults": ({}, "event_name: checkout"),
    "a country": ({"default_country": "DE"}, "DEFAULT_COUNTRY: DE"),
    "an id that keeps its case": ({"external_id_keep_case": True}, "EXTERNAL_ID_KEEP_CASE: true"),
    "consent": ({"consent_required": True}, "CONSENT_REQUIRED: true"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("changes", "expected"), ACCOUNT_SETTINGS.values(), ids=ACCOUNT_SETTINGS)
async def test_a_kept_test_has_the_settings_of_the_ad_account_and_passes(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    async with open_world(tmp_path, samples_per_name=5, **ON, **folders(tmp_path), **changes) as world:
        await arrive(world, an_event("Checkout", 1, phone="0151 23456789"))
        page = await edit(world, "pin", sample="s1")
        test = YamlDocument(text_of(page)).value["tests"][0]
        assert expected in text_of(page).replace('"', "")
        assert test.get("settings", {}) == {name.upper(): value for name, value in changes.items()}
        assert "passes</span> Recorded: Checkout" in page


def an_event(name: str, number: int, **properties: Any) -> dict[str, Any]:
    given = {"email": "jane@example.com", "order_id": f"SO-{number}", **properties}
    event = {"type": "track", "event": name, "messageId": f"{name}-{number}", "properties": given}
    return event | {"timestamp": "2026-11-18T11:06:00Z"}


async def arrive(world: World, *events: dict[str, Any]) -> None:
    for event in events:
        await world.pipeline.accept(Intake([read_event(event, Arrival.at(NOW))], now=NOW, is_trusted=True))


@pytest.mark.slow
async def test_numbers_open_the_events_that_they_count(tmp_path: Path) -> None:
    async with open_world(tmp_path, samples_per_name=5, **ON, **folders(tmp_path)) as world:
        await arrive(world, an_event("Checkout", 1), an_event("Checkout", 2), an_event("Order Placed", 3))
        page = one_line(await edit(world, "condition", place="1", field="event", operator="=", value="Order Placed"))
        for words, ids in (("1 taken", 1), ("2 no longer taken", 2), ("1 taken by this draft only", 1)):
            listed = page.partition(f"<summary>{words}</summary>")[2].partition("</details>")[0]
            links = re.findall(r'<a href="([^"]+)">', listed)
            assert (words, len(links)) == (words, ids)
            for link in links:
                chosen = re.search(r"sample=(s\d+)", link)
                assert chosen
                assert f'value="{chosen[1]}" selected' in (await world.browser.get(unescape(link))).text
        assert re.search(r'<a href="[^"]+sample=s\d+">2</a>: to be sent, becomes matched no preset', page)
        await edit(world, "reset")
        lead = await edit(world, "chip", path="event_name", kind="constant", value="lead")
        assert re.search(r'<a href="[^"]+sample=s\d+">2</a>: <code>event_name</code> changed', lead)


async def test_each_field_says_in_how_many_recent_events_it_is(tmp_path: Path) -> None:
    async with open_world(tmp_path, samples_per_name=5, **ON, **folders(tmp_path)) as world:
        await arrive(world, an_event("Checkout", 1), an_event("Checkout", 2, order_id=None))
        page = one_line(await opened(world))
        shares = {"user_data.email": "100 %", "custom_data.order_id": "50 %", "user_data.phone": "0 %"}
        for field, share in shares.items():
            said = page.partition(f'<code class="dim">{field}</code>')[2].partition("</p>")[0]
            assert (field, f"in {share}<span" in said) == (field, True)
        assert '<option value="properties.order_id" data-share="50 %">SO-1</option>' in page
        assert '<option value="properties.email" data-share="100 %">' in page


@pytest.mark.slow
async def test_what_is_repaired_of_a_value_is_said_at_its_field(tmp_path: Path) -> None:
    async with open_world(tmp_path, samples_per_name=5, **ON, **folders(tmp_path)) as world:
        await arrive(world, an_event("Checkout", 1, email="mailto:Jon@Shop.example; "))
        page = one_line(await opened(world))
        said = page.partition('id="found-user_data.email">')[2].partition("</p>")[0]
        assert re.search(r'<span class="trouble">user_data.email: a text of 25 characters sent without', said)
        assert "trouble" not in page.partition('id="found-event_id">')[2].partition("</p>")[0]


@pytest.mark.slow
async def test_a_chip_shows_its_value_and_the_used_chips_are_marked(tmp_path: Path) -> None:
    async with open_world(tmp_path, samples_per_name=5, **ON, **folders(tmp_path)) as world:
        await arrive(world, an_event("Checkout", 1))
        form = {"path": "custom_data.order_id"}
        await edit(world, "add-chip", **form, value="properties.none", item="0")
        await edit(world, "add-chip", **form, value="properties.order_id", item="1")
        page = one_line(await edit(world, "function", **form, at='["@coalesce",1]', function="lower"))
        row = unescape(page.partition('data-path="custom_data.order_id"')[2].partition("</div>")[0])
        assert row.count("used") == 3  # the function, its place, and the place's label
        assert '<small class="value">"SO-1"</small>' in row
        assert '<small class="value">"so-1"</small>' in row
        nothing = one_line(await edit(world, "remove-chip", **form, at='["@coalesce",1]'))
        assert 'id="found-custom_data.order_id"><span class="dim">not found' in nothing
        unread = await edit(world, "add-chip", **form, value="$.a[?(", item="1")
        assert "This draft cannot run yet" in unread or "trouble" in unread


@pytest.mark.slow
async def test_the_draft_is_sent_as_a_test_and_shows_the_answer(shop: World) -> None:
    await edit(shop, "chip", path="event_name", kind="constant", value="lead")
    page = await edit(shop, "send", sample="example")
    (call,) = shop.pinterest.calls
    assert call.url.params["test"] == "true"
    assert b'"lead"' in call.content
    assert "Answer 200" in page
    assert (await shop.outbox.audit(limit=1)).entries[0].what == "test sent"
    shop.pinterest.answer = None
    assert "No answer" in await edit(shop, "send", sample="example")


@pytest.mark.slow
async def test_the_tests_of_a_draft_end_as_it_is_edited(shop: World) -> None:
    test = "tests: [{name: A purchase, expect: {fields: {event_name: checkout}}}]\n"
    assert re.search(r"passes</span> A purchase", await edit(shop, "text", text=CHECKOUT + test))
    page = await edit(shop, "chip", path="event_name", kind="constant", value="lead")
    assert re.search(r'fails</span> A purchase <span class="trouble">[^<]+got', unescape(page))


async def test_a_draft_that_cannot_run_is_not_sent(shop: World) -> None:
    await edit(shop, "add-chip", path="event_id", value="{{ x")
    answer = await shop.browser.post("/console/preset/edit", data={"file": FILE, "do": "send", "sample": "example"})
    assert answer.status_code == 422
    assert "there is nothing to test" in answer.text
    assert shop.pinterest.calls == []


@pytest.mark.slow
async def test_edits_of_two_windows_are_both_stored(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read, others = SharedKey.read_revised, iter(("lead", *[f"custom {number}" for number in range(9)]))

    async def late(key: SharedKey[Any], store: Any) -> Any:
        found = await read(key, store)
        monkeypatch.setattr(SharedKey, "read_revised", read)
        await edit(shop, "chip", path="event_name", kind="constant", value=next(others))
        return found

    monkeypatch.setattr(SharedKey, "read_revised", late)
    text = text_of(await edit(shop, "meta", name="description", value="Two."))
    assert "description: Two." in text
    assert "event_name: lead" in text

    async def always_late(key: SharedKey[Any], store: Any) -> Any:
        found = await read(key, store)
        await key.write(store, begun(FILE, CHECKOUT))
        return found

    monkeypatch.setattr(SharedKey, "read_revised", always_late)
    form = {"file": FILE, "do": "meta", "name": "description", "value": "Three."}
    answer = await shop.browser.post("/console/preset/edit", data=form)
    assert (answer.status_code, "other windows change this draft" in answer.text) == (422, True)


async def test_yaml_of_an_older_text_is_refused(shop: World) -> None:
    base = re.search(r'name="base" value="(\w+)"', await opened(shop))
    assert base
    await edit(shop, "chip", path="event_name", kind="constant", value="lead")
    form = {"file": FILE, "do": "text", "text": CHECKOUT + "# mine\n", "base": base[1]}
    answer = await shop.browser.post("/console/preset/edit", data=form)
    assert (answer.status_code, "another window changed the draft" in answer.text) == (422, True)
    assert "event_name: lead" in text_of(await opened(shop))


async def published(world: World, text: str) -> None:
    """Publish a text as another person, into the folder that is not shipped."""
    publisher = world.services.acts.catalog.publisher
    publisher.publish(FILE, text, author="Eva", at=NOW, base=world.running.catalog.generation)
    world.running.reload()


@pytest.mark.slow
async def test_a_draft_survives_a_publish_and_shows_what_both_changed(shop: World) -> None:
    await edit(shop, "chip", path="event_name", kind="constant", value="lead")
    await edit(shop, "add-chip", path="event_id", value="userId")
    theirs = CHECKOUT.replace("A customer completes", "Eva says a customer completes")
    await published(shop, theirs.replace("event_name: checkout", "event_name: signup"))
    page = one_line(await opened(shop))
    text = text_of(await opened(shop))
    for part in ("Eva says", "event_name: lead", "event_id: {'@path': $.userId}".replace("'", '"')):
        assert part in text
    assert "<strong>Eva published this preset" in page
    assert "yours <code>lead</code>, published <code>signup</code>" in page
    asked = await shop.browser.post("/console/publish", data={"draft": FILE})
    assert asked.text.count("also changed by others") == 1
    assert "Eva says" not in legible(asked).partition("What changes, in words")[2].partition("</table>")[0]
    taken = await edit(shop, "theirs", path='["mapping","event_name"]')
    assert "event_name: signup" in text_of(taken)
    assert "The draft contains that change." in taken
    form = {"file": FILE, "do": "theirs", "path": '["mapping","event_name"]'}
    assert "has the published value already" in (await shop.browser.post("/console/preset/edit", data=form)).text
    assert "event_name: lead" in text_of(await edit(shop, "undo"))
    assert "event_name: signup" in text_of(await edit(shop, "reset"))


async def test_a_viewer_reads_the_page_and_edits_nothing(shop: World) -> None:
    page = await opened(shop)
    assert "Publish…" in page


async def test_a_negated_group_is_shown_as_such(shop: World) -> None:
    page = legible(await shop.browser.get("/console/preset", params={"name": "Page Visit"}))
    assert ">not</li>" in page
    editor = await opened(shop, "presets/page_visit.yaml")
    assert "Remove the not" in editor


@pytest.mark.slow
async def test_what_cannot_be_kept_as_a_test_says_why(tmp_path: Path) -> None:
    async with open_world(tmp_path, samples_per_name=5, **ON, **folders(tmp_path)) as world:
        event = {"type": "track", "event": "Other", "messageId": "m-1", "timestamp": "2026-11-18T11:06:00Z"}
        await world.pipeline.accept(Intake([read_event(event, Arrival.at(NOW))], now=NOW, is_trusted=True))
        sample = re.search(r'<option value="(s\d+)"', await opened(world))
        assert sample
        form = {"file": FILE, "do": "pin", "sample": sample[1]}
        answer = await world.browser.post("/console/preset/edit", data=form)
        assert "the preset does not take this event" in legible(answer)
        await edit(world, "add-chip", path="event_id", value="{{ x")
        answer = await world.browser.post("/console/preset/edit", data=form)
        assert "mend the draft first" in legible(answer)


async def test_without_samples_the_live_tail_shows_real_events(tmp_path: Path) -> None:
    async with open_world(tmp_path, **folders(tmp_path)) as world:
        world.tail.follow(NOW + 600, now=NOW)
        event = {"type": "track", "event": "Checkout", "messageId": "m-1", "timestamp": "2026-11-18T11:06:00Z"}
        await world.pipeline.accept(Intake([read_event(event, Arrival.at(NOW))], now=NOW, is_trusted=True))
        page = one_line(await opened(world))
        assert "Takes <strong>1 of 1</strong> real events" in page
        assert "On a real <strong>Checkout</strong>" in page


BASE = "name: A\nmapping:\n  event_name: lead\n  event_id: x  # an id\n"
#: The own text, the published text, the text of the draft afterwards, and the nodes that both changed.
MERGES: dict[str, tuple[str, str, str, list[str]]] = {
    "different fields": (
        BASE.replace("lead", "signup"),
        BASE.replace("x  #", "y  #"),
        BASE.replace("lead", "signup").replace("x  #", "y  #"),
        [],
    ),
    "the same field": (BASE.replace("lead", "signup"), BASE.replace("lead", "custom"), "", ["mapping.event_name"]),
    "the same value": (BASE.replace("lead", "signup"), BASE.replace("lead", "signup"), "", []),
    "a comment here": (
        BASE + "# mine\n",
        BASE.replace("lead", "custom"),
        BASE.replace("lead", "custom") + "# mine\n",
        [],
    ),
    "a field is new there": (
        BASE.replace("lead", "signup"),
        BASE + "  language: en\n",
        BASE.replace("lead", "signup") + "  language: en\n",
        [],
    ),
    "a field is gone there": (
        BASE.replace("lead", "signup"),
        BASE.replace("  event_id: x  # an id\n", ""),
        BASE.replace("lead", "signup").replace("  event_id: x  # an id\n", ""),
        [],
    ),
    "a field is gone there, and changed here": (
        BASE.replace("x  #", "y  #"),
        BASE.replace("  event_id: x  # an id\n", ""),
        "",
        ["mapping.event_id"],
    ),
    "no YAML here": (BASE + "\t", BASE.replace("lead", "custom"), "", []),
    "no member here": ("name: A\n", BASE.replace("lead", "custom"), "", ["mapping.event_name"]),
}


@every_row(("own", "live", "expected", "both"), MERGES.values(), ids=MERGES)
def test_a_draft_is_put_on_top_of_a_publish(own: str, live: str, expected: str, both: list[str]) -> None:
    draft = rebased(changed(begun("a.yaml", BASE), own, "an edit"), live)
    assert draft.now.text == (expected or own)
    assert draft.steps[0].text == live
    assert [".".join(map(str, each.path)) for each in both_changed(draft)] == both
    again = rebased(draft, BASE)
    assert again.begun_from == BASE


def test_more_typing_in_a_field_is_one_step() -> None:
    draft = changed(begun("a.yaml", "name: 0"), "name: 1", "change the name")
    draft = changed(draft, "name: 12", "change the name", same_step=True)
    assert [each.text for each in draft.steps] == ["name: 0", "name: 12"]
    draft = changed(draft, "name: 123", "change another", same_step=True)
    assert [each.text for each in draft.steps] == ["name: 0", "name: 12", "name: 123"]


def test_of_many_steps_the_oldest_are_forgotten_and_the_way_back_to_the_start_stays() -> None:
    draft = begun("presets/a.yaml", "name: 0")
    for number in range(1, 100):
        draft = changed(draft, f"name: {number}", f"step {number}")
    assert len(draft.steps) < 70
    assert draft.steps[0].text == "name: 0"
    assert draft.steps[-1].text == "name: 99"
    for _ in range(100):
        draft = moved(draft, -1)
    assert draft.at == 0


#: A value of the mapping, its kind of chip, and the kinds inside.
CHIPS: dict[str, tuple[Any, str, list[str]]] = {
    "a list": ([1], "list", ["constant"]),
    "a number": (2.5, "constant", []),
    "nothing": (None, "fixed", []),
    "an empty list": ([], "fixed", []),
    "a directive with options": ({"@path": "$.a", "x": 1}, "fixed", []),
    "an unknown directive": ({"@other": 1}, "fixed", []),
    "several lines": ("a\nb", "fixed", []),
    "a text": ({"@liquid": "{{ a }}"}, "template", []),
    "a text of several lines": ({"@liquid": "a\nb"}, "fixed", []),
    "a choice": ({"@if": {"exists": {"@path": "$.a"}, "then": 1}}, "function", ["path", "constant"]),
    "a function": ({"@case": {"operator": "lower", "value": {"@path": "$.a"}}}, "function", ["constant", "path"]),
    "an operand": ({"@money": {"@path": "$.a"}}, "function", ["path"]),
    "a list of items": ({"@each": ["$.a", {"id": {"@path": "$.b"}}]}, "function", ["root", "object"]),
}


@every_row(("given", "kind", "inside"), CHIPS.values(), ids=CHIPS)
def test_each_value_is_shown_as_chips(given: Any, kind: str, inside: list[str]) -> None:
    chip = chip_of(given)
    assert (chip.kind, [each.kind for each in chip.parts]) == (kind, inside)
    assert chip.words


def test_no_shipped_preset_has_a_field_that_can_only_be_changed_in_yaml() -> None:
    action = ActionFile.model_validate(parse_yaml((ROOT / "mappings" / f"{ACTION}.yaml").read_text()))
    files = sorted(ROOT.glob("presets/*.yaml"))
    assert len(files) > 10
    for text in [file.read_text() for file in files]:
        for group in field_groups(YamlDocument(text), action, None, ()):
            for row in group.rows:
                assert "fixed" not in (kinds_of(row.chip) if row.chip else ()), row.path


def test_each_default_can_be_customised() -> None:
    action = ActionFile.model_validate(parse_yaml((ROOT / "mappings" / f"{ACTION}.yaml").read_text()))
    for path, spec in leaves(action.fields):
        assert [*unread_paths(spec.default, path)] == []
        if spec.default is not None:
            document = with_field(YamlDocument("mapping: {}\n"), "customise", {"path": path}, action)
            assert document.get(("mapping", *path.split("."))) == spec.default


def kinds_of(chip: Chip) -> set[str]:
    return {chip.kind}.union(*map(kinds_of, chip.parts))


#: YAML of a mapping, a field of it, and the origin of its value.
ROWS: dict[str, tuple[str, str, str]] = {
    "a member of what a directive makes": ("{user_data: {'@path': $.user}}", "user_data.email", "within"),
    "a member of what stands for an object": ("{user_data: none}", "user_data.email", "within"),
    "a text": ("{event_id: a}", "event_id", "own"),
    "nothing": ("{event_name: lead}", "event_id", "default"),
}


@every_row(("mapping", "path", "origin"), ROWS.values(), ids=ROWS)
def test_a_row_names_the_origin_of_its_value(mapping: str, path: str, origin: str) -> None:
    groups = field_groups(YamlDocument(f"mapping: {mapping}\n"), open_action(), None, ())
    assert {row.path: row.origin for group in groups for row in group.rows}[path] == origin


def test_a_description_that_is_not_edited_stays_as_it_is_written() -> None:
    document = YamlDocument("description: >-\n  two\n  lines\n")
    assert with_meta(document, "description", "two lines") is document


def test_places_are_named_as_paths_name_them() -> None:
    events: list[dict[str, Any]] = [
        {"a": [{"b": 1}, {"b": 2}], "c d": 3, "e": {"f g": 4, 'h"': 5, "i": None}, "arrivedAt": 6},
        {"a": [{"b": 7}], "j": "x" * 200},
    ]
    seen = {each.path: (each.share, each.value) for each in seen_paths(events)}
    assert seen == {"a[0].b": ("100 %", "1"), 'e["f g"]': ("50 %", "4"), "j": ("50 %", f"{'x' * 79}…")}


async def test_a_trigger_that_cannot_be_read_says_so(shop: World) -> None:
    page = await edit(shop, "text", text=CHECKOUT.replace("AND event", "AND AND event"))
    assert "The trigger cannot be read" in page
    assert "This draft cannot run yet" in page


TYPED: dict[str, tuple[str, str, str, Any, Any]] = {
    "a number": ("number", "2.5", "", MISSING, 2.5),
    "a boolean": ("boolean", "true", "", MISSING, True),
    "no boolean": ("boolean", "yes", "", MISSING, "yes"),
    "no number": ("number", "x", "", MISSING, "x"),
    "a boolean is no number": ("number", "true", "", MISSING, "true"),
    "a text of digits": ("string", "12", "", MISSING, "12"),
    "a number in place of a number": ("string", "12", "constant", 3, 12),
    "a place": ("string", "context.page.url", "", MISSING, {"@path": "$.context.page.url"}),
    "a text like a place": ("string", "context.page.url", "constant", "a", "context.page.url"),
    "a path": ("string", " $.a ", "", MISSING, {"@path": "$.a"}),
    "a template": ("string", "{{ a }}", "", MISSING, {"@liquid": "{{ a }}"}),
    "Segment's template": ("string", "{{b}}", "template", {"@template": "{{a}}"}, {"@template": "{{b}}"}),
    "the list of a function": ("string", "properties.items", "root", "$.a", "$.properties.items"),
}


@every_row(("type_", "text", "kind", "given", "expected"), TYPED.values(), ids=TYPED)
def test_a_typed_text_has_the_type_of_its_field(type_: Any, text: str, kind: str, given: Any, expected: Any) -> None:
    spec = FieldSpec.model_validate({"label": "A", "description": "A field.", "type": type_})
    assert typed_value(text, kind, given, spec) == expected


async def test_a_condition_that_no_row_can_hold_is_in_yaml(shop: World) -> None:
    lines = 'subscribe: |-\n  type = "track" AND event = "Check\n  out"\n'
    text = CHECKOUT.replace('subscribe: type = "track" AND event = "Checkout"\n', lines)
    page = one_line(await edit(shop, "text", text=text))
    assert re.search(r"<code>event = Check out</code> <span class=.hint.>several lines", page)
    assert text_of(await opened(shop)) == text


async def test_a_draft_ends_when_it_is_published(shop: World) -> None:
    page = await edit(shop, "meta", name="description", value="Said otherwise.")
    assert "Undo: change the description" in page
    shop.write("checkout", text_of(page))
    shop.running.reload()
    again = await opened(shop)
    assert "Undo: " not in again
    assert 'value="Said otherwise."' in again
    assert text_of(again) == shop.running.preset_texts[shop.file("checkout")]
