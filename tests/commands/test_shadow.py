"""`pinrelay shadow`: a draft over samples, the quarantine, a file, and what arrives."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from app import assemble
from app.catalog.catalog import read_draft
from app.commands import shadow as command
from app.core.shared_values import SAMPLES_HURRIED
from app.errors import FeatureOff, SettingsError
from tests.commands.conftest import Run
from tests.examples.blocks import BLOCKS
from tests.pipeline.test_samples import ON, ORDER, PERSON, Shop
from tests.process import ROOT

SETTINGS = {"SAMPLES_PER_NAME": "4", "QUARANTINE_KEY": ON["quarantine_key"]}
GROSS = (ROOT / "presets/order_completed.yaml").read_text("utf-8").partition("\nexample:")[0]
GROSS += '\n  custom_data: {value: {"@path": $.properties.total}}\n'
BUYS = ORDER | {"properties": {"order_id": "SO-1", "revenue": 20, "total": 24.5, "currency": "EUR"}}


@pytest.fixture
def drafts(tmp_path: Path) -> Path:
    (tmp_path / "drafts/presets").mkdir(parents=True)
    (tmp_path / "drafts/presets/order_completed.yaml").write_text(GROSS, encoding="utf-8")
    return tmp_path / "drafts"


@pytest.fixture
def filled(run: Run, tmp_path: Path) -> Run:
    """An outbox with three samples, and an event in quarantine that the draft changes nothing for."""

    async def fill() -> None:
        shop = Shop(f"sqlite:///{tmp_path}/o.db", quarantine_hours=5)
        now = time.time()
        await shop.accept(*[BUYS] * 3, now=now)
        await shop.accept(BUYS | {"context": {}, "userId": None}, now=now)
        await shop.outbox.close()

    asyncio.run(fill())
    return run


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_it_shows_what_a_draft_changes_for_the_samples(filled: Run, drafts: Path) -> None:
    found = told(filled("shadow", drafts, "--json", **SETTINGS))
    assert (found["events"], found["outcomes"]) == (4, [])
    (field,) = found["fields"]
    shown = field.pop("examples")
    assert field == {"preset": "Order Completed", "field": "custom_data.value", "change": "changed", "count": 3}
    assert {(each["was"], each["becomes"]) for each in shown} == {('"20"', '"24.5"')}
    assert found["money"] == [{"preset": "Order Completed", "currency": "EUR", "before": "60", "after": "73.5"}]
    assert found["scores"][0]["before"] == found["scores"][0]["after"]
    (shown_words,) = [block.text.split() for block in BLOCKS if (block.page, block.title) == ("testing", "shadow")]
    printed = filled(*(drafts if word == "my-drafts" else word for word in shown_words[1:]), **SETTINGS).stdout
    for text in ("Fields that change", "custom_data.value", "Value", "EUR", "73.5", "4 events tried: these change"):
        assert text in printed
    assert "Outcomes that move" not in printed


def test_it_tries_the_quarantine_or_a_file_instead(filled: Run, drafts: Path, tmp_path: Path) -> None:
    on = SETTINGS | {"QUARANTINE_HOURS": "5"}
    assert "1 event tried: nothing changes" in filled("shadow", drafts, "--quarantine", **on).stdout
    (tmp_path / "events.json").write_text(json.dumps([{**BUYS, "messageId": "m", "context": PERSON}, 5]), "utf-8")
    found = told(filled("shadow", drafts, "--file", tmp_path / "events.json", "--json"))
    assert (found["events"], found["fields"][0]["count"]) == (1, 1)


def test_a_preset_that_is_off_moves_exits(filled: Run, drafts: Path) -> None:
    off = GROSS.replace("\naction:", "\nenabled: false\naction:")
    (drafts / "presets/order_completed.yaml").write_text(off, encoding="utf-8")
    printed = filled("shadow", drafts, **SETTINGS).stdout
    for text in ("Outcomes that move", "enqueued", "unmatched", "Value", "-"):
        assert text in printed
    assert "Fields that change" not in printed


def test_a_limit_ends_with_1_where_the_run_is_beyond_it(filled: Run, drafts: Path) -> None:
    result = filled("shadow", drafts, "--fail-if", "lost click_id > 1%", "--fail-if", "money EUR > 2%", **SETTINGS)
    assert result.exit_code == 1
    assert "beyond the limit money EUR > 2%: it is 22.5%" in result.output
    assert "click_id" not in result.output
    assert filled("shadow", drafts, "--fail-if", "money EUR > 23%", **SETTINGS).exit_code == 0


@pytest.mark.parametrize(
    ("words", "settings", "told"),
    [
        ((), {}, "SAMPLES_PER_NAME and QUARANTINE_HOURS are 0, so no event is kept"),
        ((), {"QUARANTINE_HOURS": "5", "QUARANTINE_KEY": ON["quarantine_key"]}, "SAMPLES_PER_NAME"),
        (("--fail-if", "all > 1"), SETTINGS, "is no limit"),
    ],
)
def test_what_cannot_be_tried_is_told(
    filled: Run, drafts: Path, words: tuple[str, ...], settings: dict[str, str], told: str
) -> None:
    result = filled("shadow", drafts, *words, **settings)
    assert isinstance(result.exception, FeatureOff | SettingsError)
    assert told in str(result.exception)
    assert "such as 90s or 10m" in filled("shadow", drafts, "--live", "soon", **SETTINGS).output


def test_a_live_run_has_every_process_keep_more_for_so_long(filled: Run, drafts: Path, tmp_path: Path) -> None:
    found = told(filled("shadow", drafts, "--live", "1s", "--json", **SETTINGS))
    assert found["events"] == 0

    async def hurried() -> float | None:
        shop = Shop(f"sqlite:///{tmp_path}/o.db")
        until = await SAMPLES_HURRIED.read(shop.outbox)
        await shop.outbox.close()
        return until

    until = asyncio.run(hurried())
    assert until is not None
    assert abs(until - time.time()) < 60


async def test_a_live_run_tries_what_arrives_meanwhile(run: Run, drafts: Path, tmp_path: Path) -> None:
    del run  # it makes the store
    shop = Shop(f"sqlite:///{tmp_path}/o.db")
    await shop.accept(BUYS, now=time.time() - 60)
    running = assemble.running_catalog(shop.settings)
    runs = assemble.shadow_runs(shop.settings, running, shop.outbox, clock=time.time)
    assert runs is not None

    async def arrive() -> None:
        await asyncio.sleep(0.1)
        await shop.accept(BUYS, now=time.time())

    draft = read_draft([drafts]).over(running)
    found, _ = await asyncio.gather(command._of_live(runs, draft, lasts_s=3), arrive())
    await shop.outbox.close()
    assert (found.events, found.fields.total()) == (1, 1)
