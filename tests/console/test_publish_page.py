"""Publishing from the event tester: what it changes first, versions, and the way back."""

import re
from collections.abc import AsyncIterator
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from app import assemble
from app.core.values.texts import visible
from app.errors import CatalogError, Fault
from app.source import Intake
from tests import assembled
from tests.console.test_guard import VIEWERS
from tests.console.world import CHECKOUT, NOW, World, legible, open_world

ON: dict[str, Any] = {"quarantine_hours": 72, "quarantine_key": "a key of the quarantine, long enough"}
OTHER = CHECKOUT.replace("{event_name: checkout}", "{event_name: lead}")
FILE = "presets/checkout.yaml"


def folders(folder: Path) -> dict[str, Any]:
    """The presets of the world, and a folder of one's own behind them."""
    own = folder / "mine"
    (own / ".versions").mkdir(parents=True)
    return {"presets_dir": (folder / "presets", own)}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path, **ON, **folders(tmp_path)) as world:
        yield world


async def draft(world: World, text: str, **more: str) -> Any:
    return await world.browser.post("/console/publish", data={"draft_file": FILE, "draft_text": text, **more})


async def publish(world: World, text: str, **more: str) -> Any:
    """Publish as a browser does: with what the page that shows the difference asks to be sent."""
    page = (await draft(world, text)).text
    fields = shown_fields(page) or {"file": FILE, "text": text, "base": world.running.catalog.generation}
    return await world.browser.post("/console/publish/now", data=fields | more)


def shown_fields(page: str) -> dict[str, str]:
    """The hidden fields of the form that publishes; none where the page has no such form."""
    form = page.partition('id="publish">')[2].partition("</form>")[0]
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
    return {name: unescape(value) for name, value in fields}


async def test_the_tester_offers_to_publish_a_draft(shop: World) -> None:
    page = legible(
        await shop.browser.post("/console/tester", data={"draft_file": shop.file("checkout"), "event": "{}"})
    )
    assert "Publish this draft…" in page


async def test_before_it_is_published_it_shows_what_it_changes(shop: World) -> None:
    await shop.pipeline.accept(
        Intake([{"type": "track", "event": "Checkout", "messageId": "m", "timestamp": NOW}], now=NOW)
    )
    answer = await draft(shop, OTHER)
    page = legible(answer)
    assert answer.status_code == 200
    assert '<span class="removed">-mapping: {event_name: checkout}</span>' in page
    assert '<span class="added">+mapping: {event_name: lead}</span>' in page
    assert '<span class="added">+ "event_name": "lead",</span>' in page  # of the example's finished event
    assert "changes nothing for 1 event in quarantine" in page
    assert "what is found of people" not in page
    assert not (shop.folder.parent / "mine/checkout.yaml").exists()


async def test_a_change_that_touches_privacy_must_be_confirmed(shop: World) -> None:
    text = CHECKOUT.replace("{event_name: checkout}", '{event_name: checkout, user_data: {email: "x@y.example"}}')
    page = legible(await draft(shop, text))
    assert "I have looked at 2 changes of opt-out, permission or hashed fields" in page
    assert "<code>user_data/email</code>" in page
    refused = await publish(shop, text)
    assert refused.status_code == 409
    assert "user_data/email of Checkout" in legible(refused)
    assert (await publish(shop, text, confirmed="yes")).status_code == 303


async def test_what_is_published_runs_and_is_a_version_that_leads_back(shop: World) -> None:
    answer = await publish(shop, OTHER)
    page = legible(await shop.browser.get(answer.headers["location"]))
    for said in ("Published, and taken up.", "Version 1", "this machine", "Return to the shipped file"):
        assert said in page
    assert shop.running.catalog.presets[0].fields["event_name"] == "lead"
    confirm = await shop.browser.post("/console/publish", data={"file": FILE, "removed": "yes"})
    assert "is taken away" in legible(confirm)
    await shop.browser.post("/console/publish/now", data=shown_fields(confirm.text))
    assert shop.running.catalog.presets[0].fields["event_name"] == "checkout"
    page = legible(await shop.browser.get(f"/console/versions?file={FILE}"))
    assert "an earlier folder counted" in page
    assert "Return to this" in page
    activity = legible(await shop.browser.get("/console/activity"))
    assert "published" in activity
    assert "version 2" in activity


def cells(page: str) -> list[list[str]]:
    """The rows of the table of what changes, in words."""
    table = page.partition('aria-label="What changes, in words"')[2].partition("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table.partition("</thead>")[2], re.DOTALL)
    return [[unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows]


async def test_the_difference_is_said_in_words_too(shop: World) -> None:
    becomes = OTHER.replace("{event_name: lead}", "{event_name: lead, user_data: {phone: {'@path': $.phone}}}")
    page = (await draft(shop, becomes.replace('event = "Checkout"', 'event = "Order"'))).text
    assert cells(page) == [
        ["When", 'type = "track" AND event = "Checkout"', 'type = "track" AND event = "Order"'],
        ["Name event_name", "checkout", "lead"],
        ["Phone user_data.phone", "the default", "$.phone"],
    ]
    written = (await draft(shop, CHECKOUT + "# as it was\n")).text
    assert cells(written) == []
    assert "Only comments or the way it is written differ." in written


@pytest.mark.slow
async def test_a_version_says_who_and_why_and_the_page_of_its_preset_leads_back(shop: World) -> None:
    await publish(shop, OTHER, why="Leads for jane@example.com since May")
    entries = (await shop.outbox.audit(limit=1)).entries
    for said in (legible(await shop.browser.get(f"/console/versions?file={FILE}")), entries[0].after):
        assert "Leads for" in said
        assert "since May" in said
        assert "jane@example.com" not in said
    await publish(shop, OTHER.replace("lead", "signup"))
    page = (await shop.browser.get("/console/preset?name=Checkout")).text
    assert re.search(r"Version 2 .*Version 1 .*since May", page, re.DOTALL)
    (back,) = re.findall(r'<form method="post" action="/console/publish".*?</form>', page, re.DOTALL)
    fields = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', back)}
    asked = await shop.browser.post("/console/publish", data=fields)
    assert cells(asked.text) == [["Name event_name", "signup", "lead"]]
    await shop.browser.post("/console/publish/now", data=shown_fields(asked.text))
    assert shop.running.catalog.presets[0].fields["event_name"] == "lead"


async def test_the_way_back_to_the_shipped_file_shows_what_it_brings_back(shop: World) -> None:
    await publish(shop, OTHER)
    page = (await shop.browser.get("/console/preset?name=Checkout")).text
    assert "Return to the shipped file" in page
    asked = await shop.browser.post("/console/publish", data={"file": FILE, "removed": "yes"})
    assert cells(asked.text) == [["Name event_name", "lead", "checkout"]]
    assert '<span class="added">+mapping: {event_name: checkout}</span>' in asked.text


async def test_before_it_is_published_its_tests_are_named(shop: World) -> None:
    test = "tests: [{name: A purchase, expect: {fields: {event_name: lead}}}]\n"
    assert re.search(r"passes</span> A purchase", (await draft(shop, OTHER + test)).text)


async def test_a_file_that_breaks_after_its_difference_was_shown_is_not_published(shop: World) -> None:
    text = "subscribe: ["
    shown = sha256(repr((FILE, text)).encode()).hexdigest()
    form = {"file": FILE, "text": text, "shown": shown, "base": shop.running.catalog.generation}
    answer = await shop.browser.post("/console/publish/now", data=form)
    assert answer.status_code == 400
    assert "The draft cannot be used" in legible(answer)


@pytest.mark.slow
async def test_examples_say_what_another_name_and_another_trigger_change(shop: World) -> None:
    turned = CHECKOUT.replace('type = "track" AND event = "Checkout"', 'event = "Checkout" AND type = "track"')
    assert "No example becomes anything else." in legible(await draft(shop, turned))
    renamed = legible(await draft(shop, CHECKOUT.replace("name: Checkout\n", "name: Buy\n")))
    assert "Was <strong>there is no such preset</strong>, becomes <strong>enqueued</strong>" in renamed


async def test_a_draft_with_faults_is_not_published(shop: World) -> None:
    for answer in (await draft(shop, "subscribe: ["), await publish(shop, "subscribe: [")):
        assert answer.status_code == 400
        assert "The draft cannot be used" in legible(answer)


async def test_a_draft_whose_test_fails_is_not_published(shop: World) -> None:
    test = "tests: [{name: A purchase, expect: {fields: {event_name: %s}}}]\n"
    for answer in (await draft(shop, OTHER + test % "checkout"), await publish(shop, OTHER + test % "checkout")):
        assert answer.status_code == 400
        told = unescape(legible(answer))
        assert 'the test \'A purchase\' fails: event_name: expected "checkout", got "lead"' in told
    assert (await publish(shop, OTHER + test % "lead")).status_code == 303


@pytest.mark.slow
async def test_what_was_made_for_an_older_catalog_is_refused(shop: World) -> None:
    late = shown_fields((await draft(shop, OTHER + "# late")).text)
    await publish(shop, OTHER)
    answer = await shop.browser.post("/console/publish/now", data=late)
    assert (answer.status_code, "files changed while" in legible(answer)) == (409, True)


@pytest.mark.parametrize(
    "changed",
    [
        {"text": CHECKOUT},
        {"text": OTHER + "\n"},
        {"text": OTHER.replace("\n", "\n ", 1)},
        {"file": "presets/other.yaml"},
        {"shown": ""},
        {"shown": "0" * 64},
        {"removed": "yes"},
    ],
)
async def test_only_the_text_whose_difference_was_shown_is_published(shop: World, changed: dict[str, str]) -> None:
    before = shop.running.catalog.generation
    fields = shown_fields((await draft(shop, OTHER)).text)
    answer = await shop.browser.post("/console/publish/now", data=fields | changed)
    if answer.status_code != 400:  # two presets of one name: it says so
        assert answer.status_code == 409
        assert "changed after its difference was shown to you" in legible(answer)
        # the page asks anew, for what arrived
        assert shown_fields(answer.text)["text" if "removed" not in changed else "removed"] == (
            changed.get("removed") or changed.get("text", OTHER)
        )
    assert shop.running.catalog.generation == before
    assert [each for each in (shop.folder.parent / "mine").rglob("*.*") if each.is_file()] == []


@pytest.mark.parametrize(
    "text",
    [
        OTHER,
        OTHER.removesuffix("\n"),
        "\n" + OTHER,
        OTHER + "# <b>&amp; \"quoted\" 'single' é\ttab \u202e end\n\n",
        OTHER.replace("\n", "\r\n"),
        OTHER.replace("\n", "\r"),
    ],
)
async def test_what_is_published_is_the_text_whose_difference_was_shown(shop: World, text: str) -> None:
    page = await draft(shop, text)
    assert "Nothing differs" not in page.text
    assert "\u202e" not in page.text.partition("<h2>Against what runs</h2>")[2]
    assert (await shop.browser.post("/console/publish/now", data=shown_fields(page.text))).status_code == 303
    written = (shop.folder.parent / "mine/checkout.yaml").read_bytes().decode()
    assert written == text.replace("\r\n", "\n").replace("\r", "\n") == shown_fields(page.text)["text"]


@pytest.mark.parametrize(
    "name",
    [
        "a" * 5_000 + ".yaml",
        "a" * 97 + ".yaml",
        "",
        "..",
        ".yaml",
        "checkout.json",
        "a\0b.yaml",
        "\u202eb.yaml",
        "é.yaml",
    ],
)
async def test_a_name_that_no_file_can_have_is_a_400_that_names_it(shop: World, name: str) -> None:
    known = {"text": OTHER, "base": shop.running.catalog.generation}
    for file in (name, f"presets/{name}"):
        shown = sha256(repr((file, OTHER)).encode()).hexdigest()
        for path, more in (("publish", {}), ("publish/now", {}), ("publish/now", {"shown": shown})):
            answer = await shop.browser.post(f"/console/{path}", data={"file": file, **known, **more})
            assert answer.status_code == 400
            assert f'"{visible(Path(file).name[:100])}' in unescape(answer.text)
    assert [each for each in (shop.folder.parent / "mine").rglob("*.*") if each.is_file()] == []
    assert (await shop.browser.get("/console/versions", params={"file": name})).status_code == 200


async def test_no_two_texts_have_an_empty_difference(shop: World) -> None:
    for more in ("\n", " ", "#\x0b", "#\x0c", "#\x85", "#\u2028", "#\u200b", "#\ufeff"):
        page = legible(await draft(shop, CHECKOUT + more))
        assert "Nothing differs" not in page, more
    assert "Nothing differs" in legible(await draft(shop, CHECKOUT))


async def test_what_cannot_be_taken_up_is_put_back(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop.running, "_check", _complain)  # as of an ad account that names a preset which is gone
    answer = await publish(shop, OTHER)
    page = legible(await shop.browser.get(answer.headers["location"]))
    assert "what was there before is back" in page
    assert not (shop.folder.parent / "mine/checkout.yaml").exists()


def _complain(_: frozenset[str]) -> None:
    raise CatalogError([Fault(path="/presets", message="there is no such preset")])


async def test_where_nothing_can_be_published_the_pages_say_why(world: World) -> None:
    assert "PRESETS_DIR names one folder" in legible(await world.browser.get(f"/console/versions?file={FILE}"))
    answer = await draft(world, OTHER)
    assert (answer.status_code, "my-presets/.versions" in legible(answer)) == (409, True)
    assert (await publish(world, OTHER)).status_code == 409
    page = legible(await world.browser.post("/console/tester", data={"draft_file": world.file("checkout")}))
    assert "press Reload" in page
    assert "Publish this draft" not in page


@pytest.mark.slow
async def test_viewers_publish_nothing(tmp_path: Path) -> None:
    async with open_world(tmp_path, users=VIEWERS, **folders(tmp_path)) as world:
        await world.browser.post("/console/login", data={"password": "token-of-bob"})
        assert (await draft(world, OTHER)).status_code == 403
        assert (await publish(world, OTHER)).status_code == 403


async def test_of_many_versions_the_newest_are_listed_and_older_ones_behind_them(shop: World, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / ".versions" / "checkout.yaml"
    folder.mkdir()
    for number in range(1, 24):
        (folder / f"{number}.json").write_text(f'{{"at": {NOW}, "author": "ada", "text": "name: x{number}"}}')
    (tmp_path / "mine" / "checkout.yaml").write_text("name: x23")
    first = (await shop.browser.get(f"/console/versions?file={FILE}")).text
    (older,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = (await shop.browser.get(unescape(older))).text
    listed = [re.findall(r"<h2>Version (\d+)", page) for page in (first, second)]
    assert listed == [[f"{number}" for number in range(23, 3, -1)], ["3", "2", "1"]]
    assert '<span class="removed">-name: x3</span>' in first
    assert (first.count("Return to this"), second.count("Return to this")) == (19, 3)


SAMPLES: dict[str, Any] = {"samples_per_name": 4, "quarantine_key": ON["quarantine_key"]}


async def sampled(world: World) -> None:
    """Keep two samples: an order, and one that the preset does not take."""
    found = assemble.samples(assembled.settings(**SAMPLES), world.outbox, lambda: world.running.catalog)
    assert found is not None
    world.pipeline.listeners = (found,)
    order = {"type": "track", "event": "Checkout", "timestamp": NOW, "properties": {"email": "ada@example.com"}}
    given = [order | {"messageId": "m-1"}, order | {"messageId": "m-2", "event": "Other"}]
    await world.pipeline.accept(Intake(given, now=NOW, is_trusted=True))


async def test_a_shadow_run_over_samples_is_shown_before_publishing(tmp_path: Path) -> None:
    async with open_world(tmp_path, **SAMPLES, **folders(tmp_path)) as world:
        await sampled(world)
        page = legible(await draft(world, OTHER))
        assert "2 samples of the last day, mapped by what runs and by this:" in page
        assert '<code>event_name</code></td><td>changed</td><td class="number">1</td>' in page
        assert '<code>"checkout"</code>' in unescape(page)
        off = legible(await draft(world, CHECKOUT.replace("action:", "enabled: false\naction:")))
        assert '<td>enqueued</td><td>unmatched</td><td class="number">1</td>' in off
        assert "changes nothing for 2 samples" in legible(await draft(world, CHECKOUT + "# a comment"))


@pytest.mark.slow
async def test_a_draft_beyond_a_limit_is_not_published(tmp_path: Path) -> None:
    limits: dict[str, Any] = {"publish_fail_if": ("changed event_name > 0",)}
    async with open_world(tmp_path, **SAMPLES, **limits, **folders(tmp_path)) as world:
        await sampled(world)
        answer = await publish(world, OTHER)
        assert answer.status_code == 409
        assert "beyond PUBLISH_FAIL_IF: changed event_name > 0: it is 1" in unescape(legible(answer))
        assert (await publish(world, CHECKOUT + "# a comment")).status_code == 303


async def test_without_samples_the_page_says_so(shop: World) -> None:
    assert "SAMPLES_PER_NAME is 0" in legible(await draft(shop, OTHER))


async def test_title_and_label_name_the_file_that_is_published(shop: World) -> None:
    own = str(shop.folder.parent / "mine" / "checkout.yaml")
    running = shop.file("checkout")
    form = {"draft_file": running, "draft_of": running, "draft_text": OTHER, "event": "{}"}
    tried = await shop.browser.post("/console/tester", data=form)
    assert f"Draft of {own}, which begins as {running}</label>" in tried.text
    page = await shop.page(f"/console/versions?file={running}")
    assert f"<title>Versions of {own} · Pinrelay</title>" in page
    assert f"<h1>Versions of <code>{own}</code></h1>" in page


async def test_where_nothing_can_be_published_they_name_the_file_that_runs(world: World) -> None:
    running = world.file("checkout")
    form = {"draft_file": running, "draft_of": running, "draft_text": OTHER, "event": "{}"}
    assert f">Draft of {running}</label>" in (await world.browser.post("/console/tester", data=form)).text
    assert f"<h1>Versions of <code>{running}</code></h1>" in await world.page(f"/console/versions?file={running}")
