"""What is joined here is the same for everyone, and the names that programs outside rely on stay."""

import inspect
from pathlib import Path
from typing import Any

import orjson
import pytest

from app import assemble
from app.assemble import ad_accounts
from app.assemble.services import make_services
from app.catalog import load_catalog
from app.config import load_settings
from app.core.events import Outcome
from app.destination import report_conversion_event
from app.errors import EventRefused, MappingError, OutboxError, PinrelayError, TriggerError
from app.mapping import compile_mapping
from app.source import read_raw_event
from app.trigger import compile_trigger
from tests import assembled
from tests.outbox.new_store import new_store
from tests.process import ROOT
from tests.rows import every_row

NOW = 1_772_640_800.0
WHO = {"ip": "203.0.113.9", "userAgent": "x"}
PAGE = orjson.dumps({"type": "page", "messageId": "p-1", "timestamp": NOW - 60, "context": WHO})
EVENTS = (ROOT / "tests/conformance/events.ndjson").read_bytes().splitlines()[::10]
ONLY = """
name: Only
subscribe: type = "page"
action: report_conversion_event
mapping: {event_name: tasting}
"""


def parameters(function: Any) -> list[str]:
    """Return the names of the parameters that a caller must give, in order."""
    found = inspect.signature(function).parameters.values()
    return [each.name for each in found if each.default is inspect.Parameter.empty]


@every_row(
    ("function", "needed"),
    [
        (load_catalog, ["presets_dir", "mappings_dir"]),
        (compile_trigger, ["text"]),
        (compile_mapping, ["mapping"]),
        (report_conversion_event, ["fields", "now"]),
        (load_settings, ["overrides"]),
        (read_raw_event, ["raw", "now"]),
        (assemble.pipeline, ["settings"]),
        (assemble.pipeline(assembled.settings()).preview, ["event", "now"]),
        (assemble.pipeline(assembled.settings()).map_event, ["raw", "now"]),
        (assemble.pipeline(assembled.settings()).preview_request, ["source_name", "body", "headers", "now"]),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_what_a_function_that_is_relied_on_from_outside_needs_stays(function: Any, needed: list[str]) -> None:
    assert parameters(function) == needed


def test_load_catalog_reads_two_folders() -> None:
    assert "Order Completed" in [preset.name for preset in load_catalog(ROOT / "presets", ROOT / "mappings").presets]


def test_compile_trigger_matches_events() -> None:
    trigger = compile_trigger('type = "page"')
    assert (trigger.matches({"type": "page"}), trigger.matches({"type": "track"})) == (True, False)


def test_compile_mapping_resolves_events() -> None:
    assert compile_mapping({"event_id": {"@path": "$.messageId"}}).resolve({"messageId": "m"}) == {"event_id": "m"}


def test_report_conversion_event_builds_an_event_and_its_warnings() -> None:
    fields = {"event_name": "lead", "action_source": "web", "event_time": NOW, "event_id": "e", "opt_out": "perhaps"}
    event, warnings = report_conversion_event(fields | {"user_data": {"email": "ada@example.com"}}, now=NOW)
    assert (event["event_name"], event["event_time"], len(event["user_data"]["em"])) == ("lead", NOW, 1)
    assert warnings


def test_load_settings_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_COUNTRY", "DE")
    assert load_settings().default_country == "DE"


def test_read_raw_event_reads_one_event_at_its_time() -> None:
    event = read_raw_event(b'{"type": "page"}', now=NOW)
    assert (event["type"], event["timestamp"]) == ("page", "2026-03-04T16:13:20.000Z")


def test_a_pipeline_previews_events_maps_them_and_previews_requests_alike() -> None:
    pipeline = assemble.pipeline(assembled.settings())

    (line,) = pipeline.preview(read_raw_event(PAGE, now=NOW), now=NOW)
    ((preset, sent),) = pipeline.map_event(PAGE, NOW)
    requested, refused = pipeline.preview_request("rudderstack", b"[" + PAGE + b", {}]", {}, now=NOW)

    assert (line.preset, line.outcome, line.event) == (preset, Outcome.ENQUEUED, orjson.loads(sent))
    assert requested == [line]
    assert isinstance(refused, EventRefused)


def test_errors_that_are_relied_on_from_outside_are_all_of_one_kind() -> None:
    assert all(issubclass(each, PinrelayError) for each in (EventRefused, TriggerError, MappingError, OutboxError))


@every_row(
    ("settings", "event", "outcomes"),
    [
        ({}, {}, [Outcome.ENQUEUED]),
        ({"consent_categories": ("ads",)}, {"consent": {"categoryPreferences": {}}}, [Outcome.WITHHELD]),
        ({"max_event_age_days": 0.0001}, {}, [Outcome.INVALID]),
        ({"integration_names": ("none",)}, {"integrations": {"All": False}}, [Outcome.ENQUEUED]),
        ({}, {"integrations": {"All": False}}, [Outcome.WITHHELD]),
    ],
    ids=str,
)
def test_the_pipeline_obeys_the_settings(
    settings: dict[str, Any], event: dict[str, Any], outcomes: list[Outcome]
) -> None:
    given = orjson.loads(PAGE)
    given |= {name: value for name, value in event.items() if name != "consent"}
    given["context"] |= {name: value for name, value in event.items() if name == "consent"}
    lines = assembled.pipeline(**settings).preview(given, now=NOW)
    assert [line.outcome for line in lines] == outcomes


def test_event_names_of_the_advertisers_own_are_known_wherever_the_settings_are(tmp_path: Any) -> None:
    (tmp_path / "only.yaml").write_text(ONLY, "utf-8")
    settings = assembled.settings(presets_dir=(tmp_path,), custom_event_names=("tasting",))
    ((_, sent),) = assemble.pipeline(settings).map_event(PAGE, NOW)
    assert orjson.loads(sent)["event_name"] == "tasting"


@pytest.mark.parametrize(
    ("events_while_off", "outcomes"), [("delay", [Outcome.ENQUEUED]), ("withhold", [Outcome.WITHHELD])]
)
def test_switches_withhold_where_the_settings_refuse_what_is_switched_off(
    events_while_off: str, outcomes: list[Outcome]
) -> None:
    settings = assembled.settings(events_while_off=events_while_off)
    pipeline = assemble.pipeline(settings, assembled.shipped_catalog(), why_off=lambda name, _: f"{name} is off")
    assert [line.outcome for line in pipeline.preview(orjson.loads(PAGE), now=NOW)] == outcomes


def test_an_action_source_may_replace_what_the_presets_say() -> None:
    pipeline = assemble.pipeline(assembled.settings(), assembled.shipped_catalog(), action_source="offline")
    ((_, sent),) = pipeline.map_event(PAGE, NOW)
    assert orjson.loads(sent)["action_source"] == "offline"


@pytest.mark.slow
def test_what_replaces_the_action_source_replaces_nothing_else() -> None:
    given = orjson.loads(PAGE) | {"properties": {"email": "no address"}}
    given["context"]["traits"] = {"email": "jane@example.com"}
    pipelines = [
        assemble.pipeline(assembled.settings(), assembled.shipped_catalog(), action_source=source)
        for source in (None, "web")
    ]
    for raw in (orjson.dumps(given), *EVENTS):
        of_presets, replaced = (pipeline.map_event(raw, NOW) for pipeline in pipelines)
        assert [preset for preset, _ in replaced] == [preset for preset, _ in of_presets]
        if b'"action_source":"web"' in b"".join(sent for _, sent in of_presets):
            assert replaced == of_presets


@pytest.mark.parametrize(
    ("settings", "account"),
    [
        ({}, ad_accounts.SANDBOX_AD_ACCOUNT_ID),
        ({"pinterest_ad_account_id": "549755885175", "pinterest_conversion_token": "t"}, "549755885175"),
    ],
    ids=str,
)
async def test_deliveries_are_for_the_ad_account_of_the_settings(settings: dict[str, Any], account: str) -> None:
    (destination,) = ad_accounts.destinations(assembled.settings(**settings))
    assert destination.ad_account_id == account


def test_the_settings_of_tests_are_not_those_of_whoever_runs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENT_CATEGORIES", "ads")
    assert assembled.settings().consent_categories == ()


async def test_a_secret_that_is_taken_up_from_its_file_is_in_the_audit_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text("a first secret, long enough", encoding="utf-8")
    monkeypatch.setenv("WEBHOOK_SHARED_SECRETS_FILE", str(file))
    settings = assembled.settings(
        outbox_url=new_store(tmp_path, "o.db"), webhook_shared_secrets=(file.read_text(encoding="utf-8"),)
    )
    services = make_services(settings, "all", clock=lambda: 1.5, environ={})
    for text in ("a second secret, long enough", ""):
        file.write_text(text, encoding="utf-8")
        await services.look_at_files()
    entries = (await services.outbox.audit(limit=10)).entries
    assert [(each.who, each.what.value, each.target) for each in entries] == [
        ("changed file", "took up a secret", "WEBHOOK_SHARED_SECRETS_FILE")
    ], "what cannot be taken up is none, and no secret is shown"
    await services.outbox.close()


@pytest.mark.parametrize("is_named", [False, True])
async def test_a_token_of_pinterest_that_changes_in_its_file_is_in_the_audit_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_named: bool
) -> None:
    file = tmp_path / "token"
    file.write_text("first-token", encoding="utf-8")
    given: dict[str, Any] = {"pinterest_ad_account_id": "3", "pinterest_conversion_token": "first-token"}
    if is_named:
        (tmp_path / "files").mkdir()
        text = f'name: Shop\nad_account_id: "3"\ntoken: {{file: {file}}}\n'
        (tmp_path / "files/shop.yaml").write_text(text, encoding="utf-8")
        given = {"destinations_dir": (tmp_path / "files",)}
    else:
        monkeypatch.setenv("PINTEREST_CONVERSION_TOKEN_FILE", str(file))
    settings = assembled.settings(outbox_url=new_store(tmp_path, "o.db"), **given)
    services = make_services(settings, "all", clock=lambda: 1.5, environ={})
    await services.look_at_files()
    file.write_text("another-token", encoding="utf-8")
    for _ in range(2):
        await services.look_at_files()
    entries = (await services.outbox.audit(limit=10)).entries
    told = "token of Shop" if is_named else "PINTEREST_CONVERSION_TOKEN_FILE"
    assert [(each.who, each.what.value, each.target) for each in entries] == [
        ("changed file", "took up a secret", told)
    ]
    await services.outbox.close()
