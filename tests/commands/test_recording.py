"""`pinrelay test --record`: a test of a sample, a quarantined event, a file or a pasted event."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.catalog.yaml_files import parse_yaml
from app.errors import SettingsError, UnknownName
from tests.commands.conftest import Run
from tests.pipeline.test_samples import ON, ORDER, PERSON, Shop
from tests.process import ROOT

KEY = {"QUARANTINE_KEY": ON["quarantine_key"]}
EVENT: dict[str, Any] = {**ORDER, "messageId": "m-file", "timestamp": "2026-11-25T10:15:00Z", "context": PERSON}
PRESET = (ROOT / "presets/order_completed.yaml").read_text("utf-8")


@pytest.fixture
def filled(run: Run, tmp_path: Path) -> Run:
    """An outbox with a sample of `m-sample` and `m-kept` in quarantine."""

    async def fill() -> None:
        shop = Shop(f"sqlite:///{tmp_path}/o.db", quarantine_hours=5, samples_per_name=1)
        now = time.time()
        await shop.accept(ORDER | {"messageId": "m-sample"}, now=now)
        await shop.accept(ORDER | {"messageId": "m-kept", "context": {}, "userId": None}, now=now)
        await shop.outbox.close()

    asyncio.run(fill())
    return run


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/order_completed.yaml").write_text(PRESET, "utf-8")
    return tmp_path / "mine"


def added_to(folder: Path) -> list[Any]:
    found: Any = parse_yaml((folder / "order_completed.yaml").read_text("utf-8"))
    tests: list[Any] = found["tests"]
    return tests


@pytest.mark.parametrize(("message_id", "outcome"), [("m-sample", "enqueued"), ("m-kept", "invalid")])
def test_a_message_id_is_looked_up_among_samples_and_in_quarantine(filled: Run, message_id: str, outcome: str) -> None:
    result = filled("test", "--record", message_id, **KEY)
    assert result.exit_code == 0, result.output
    first, _, text = result.stdout.partition("\n")
    assert first == "# presets/order_completed.yaml"
    (test,) = yaml.safe_load(text)["tests"]
    assert test["expect"].get("outcome", "enqueued") == outcome
    assert test["event"]["messageId"] != message_id


def test_an_unknown_id_and_a_missing_key_are_told(filled: Run) -> None:
    assert isinstance(filled("test", "--record", "nothing", **KEY).exception, UnknownName)
    assert isinstance(filled("test", "--record", "m-sample").exception, SettingsError)


def test_a_pasted_event_is_recorded_and_an_agreed_test_is_added(run: Run, own: Path, tmp_path: Path) -> None:
    settings = {"PRESETS_DIR": f"presets,{own}", "DEFAULT_COUNTRY": "US", "LDP_STATES": "CA,CO"}
    pasted = run("test", "--record", "-", stdin=json.dumps(EVENT), **settings)
    assert "tests:" in pasted.stdout
    (tmp_path / "event.json").write_text(json.dumps(EVENT), "utf-8")
    refused = run("test", "--record", tmp_path / "event.json", "--add", stdin="n\n", **settings)
    assert refused.exit_code == 0
    assert (own / "order_completed.yaml").read_text("utf-8") == PRESET
    added = run("test", "--record", tmp_path / "event.json", "--add", stdin="y\n", **settings)
    assert f"added to {own}/order_completed.yaml" in added.output
    text = (own / "order_completed.yaml").read_text("utf-8")
    assert text.startswith(PRESET)
    tests = added_to(own)
    assert tests[-1]["settings"] == {"DEFAULT_COUNTRY": "US", "LDP_STATES": "CA,CO"}
    result = run("test", own)
    assert (result.exit_code, result.stdout) == (0, f"{len(tests)} tests, 0 failed\n")


def test_a_preset_without_tests_gets_its_first(run: Run, own: Path) -> None:
    (own / "order_completed.yaml").write_text(PRESET.partition("\ntests:")[0] + "\n", "utf-8")
    (own / "event.json").write_text(json.dumps(EVENT), "utf-8")
    assert run("test", "--record", own / "event.json", "--add", stdin="y\n", PRESETS_DIR=str(own)).exit_code == 0
    assert len(added_to(own)) == 1


def test_tests_in_the_middle_of_a_file_are_left_alone(run: Run, own: Path) -> None:
    text = PRESET + "enabled: true\n"
    (own / "order_completed.yaml").write_text(text, "utf-8")
    (own / "event.json").write_text(json.dumps(EVENT), "utf-8")
    result = run("test", "--record", own / "event.json", "--add", stdin="y\n", PRESETS_DIR=str(own))
    assert result.exit_code == 2
    assert "at its end, or add the test by hand" in result.output
    assert (own / "order_completed.yaml").read_text("utf-8") == text


@pytest.mark.parametrize(
    ("pasted", "code", "told"),
    [
        ("", 2, "there is no event in it"),
        ("{", 2, "is not JSON"),
        ({**EVENT, "event": "Nothing"}, 1, "no preset takes this event"),
        ({**EVENT, "userId": "unknown"}, 0, "goes another way than the real one"),
    ],
)
def test_what_gives_no_good_test_is_told(run: Run, pasted: Any, code: int, told: str) -> None:
    result = run("test", "--record", "-", stdin=pasted if isinstance(pasted, str) else json.dumps(pasted))
    assert (result.exit_code, told in " ".join(result.output.split())) == (code, True), result.output
