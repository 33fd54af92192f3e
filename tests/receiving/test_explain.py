"""The event tester over the shipped catalog: what would become of one event, step by step."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app import assemble
from app.catalog.running import RunningCatalog
from app.destination import ConversionRules
from app.destination.client import PinterestClient
from app.receiving import explain as tester
from app.receiving.reports import Draft, EventReport, PresetReport
from app.sandbox import create_sandbox
from app.types import Exit
from tests import assembled

NOW = 1_772_640_800.0
ORDER: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m-1",
    "timestamp": "2026-03-04T16:12:52.244Z",
    "context": {"traits": {"email": "Jane.Doe@Example.com"}},
    "properties": {"order_id": "SO-1", "revenue": 20, "currency": "USD"},
}


@pytest.fixture
def running() -> RunningCatalog:
    return assemble.running_catalog(assembled.settings())


def make(running: RunningCatalog, url: str = "http://sandbox/v5") -> tester.Tester:
    client = PinterestClient(
        api_url=url,
        ad_account_id="1",
        token=SecretStr("token"),
        timeout_s=5,
        transport=httpx.ASGITransport(app=create_sandbox(clock=lambda: NOW)) if "sandbox" in url else None,
    )
    return tester.Tester(running, ConversionRules(), client)


def of(report: EventReport, preset: str) -> PresetReport:
    return next(each for each in report.presets if each.preset == preset)


def test_a_matched_preset_shows_each_field_from_path_to_digest(running: RunningCatalog) -> None:
    report = of(make(running).test_event(ORDER, None, NOW), "Order Completed")
    email = next(row for row in report.fields if row.field == "user_data/email")
    assert (report.matched, report.exit, report.reason) == (True, Exit.ENQUEUED, "")
    assert email.paths == ("context.traits.email",)
    assert email.value == '"Jane.Doe@Example.com"'
    assert email.normalised == "jane.doe@example.com"
    assert email.sent == '["86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d"]'
    assert report.payload
    assert report.schema_problems == ()


def test_an_unmatched_preset_shows_which_condition_failed_and_what_was_found(running: RunningCatalog) -> None:
    report = of(make(running).test_event(ORDER, None, NOW), "Page Visit")
    (condition,) = report.conditions
    assert (report.matched, report.exit, condition.held, condition.found) == (False, Exit.UNMATCHED, False, '"track"')


def test_an_invalid_event_shows_its_fields_and_the_reason(running: RunningCatalog) -> None:
    report = of(make(running).test_event({**ORDER, "context": {}}, None, NOW), "Order Completed")
    assert (report.exit, report.payload) == (Exit.INVALID, None)
    assert "hashed_maids" in report.reason
    assert any(row.field == "custom_data/value" for row in report.fields)


def test_what_is_no_event_is_refused(running: RunningCatalog) -> None:
    assert "type" in make(running).test_event({"event": "x"}, None, NOW).refusal


def test_a_draft_of_a_preset_is_tried_in_place_of_its_file(running: RunningCatalog) -> None:
    file = next(name for name in running.preset_texts if Path(name).name == "order_completed.yaml")
    draft = Draft(file=file, text=running.preset_texts[file].replace("event_name: checkout", "event_name: lead"))
    report = of(make(running).test_event(ORDER, draft, NOW), "Order Completed")
    assert b'"event_name":"lead"' in (report.payload or b"")


def test_a_draft_of_the_mapping_is_tried_too_and_its_faults_are_told(running: RunningCatalog) -> None:
    (file,) = running.mapping_texts
    report = make(running).test_event(ORDER, Draft(file=file, text="name: x"), NOW)
    assert report.presets == ()
    assert {fault.path for fault in report.draft_faults} >= {"/description", "/fields"}


async def test_a_finished_event_is_judged_by_pinterest_without_being_recorded(running: RunningCatalog) -> None:
    subject = make(running)
    payload = of(subject.test_event(ORDER, None, NOW), "Order Completed").payload
    answer = await subject.send_test(payload or b"")
    assert answer.status == 200
    assert "processed" in answer.body


async def test_a_pinterest_that_does_not_answer_is_told(running: RunningCatalog, ephemeral_port: int) -> None:
    answer = await make(running, f"http://127.0.0.1:{ephemeral_port}").send_test(b"{}")
    assert answer.status is None
    assert answer.body
