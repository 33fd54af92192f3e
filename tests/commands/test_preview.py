"""`pinrelay check` and `pinrelay preview`."""

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from app.core.shared_values import PRESET_SWITCH, Switch
from app.errors import ConfigurationError
from app.outbox import Outbox
from tests.commands.conftest import Run
from tests.commands.stored import in_outbox

PERSON = {"ip": "203.0.113.9", "userAgent": "x"}
PAGE: dict[str, Any] = {"type": "page", "messageId": "p-1", "timestamp": time.time(), "context": PERSON}
SCREEN = {"type": "screen", "messageId": "s-1"}


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_check_prints_every_preset_with_its_trigger(run: Run) -> None:
    result = run("check")
    assert result.exit_code == 0
    assert "of 50 presets" in result.stdout
    assert all(name in result.stdout for name in ("Page Visit", "Order Completed", 'type = "page"'))


def test_check_prints_json(run: Run) -> None:
    rows = json.loads(run("check", "--json").stdout)["presets"]
    assert {"preset": "Page Visit", "event_name": "page_visit", "enabled": True} in [
        {name: row[name] for name in ("preset", "event_name", "enabled")} for row in rows
    ]


def test_check_names_the_faults(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: Bad\nsubscribe: type ==\naction: report_conversion_event\n", "utf-8")
    result = run("check", "--presets", tmp_path)
    assert type(result.exception) is ConfigurationError
    assert "/subscribe" in str(result.exception)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"QUARANTINE_HOURS": "24"}, "QUARANTINE_KEY: the quarantine needs one"),
        ({"SAMPLES_PER_NAME": "1"}, "QUARANTINE_KEY: the quarantine needs one"),
        ({"REMEMBER_DAYS": "1"}, "REMEMBER_SECRET: memory needs one"),
        ({"PINTEREST_APP": "1:2:3"}, "PINTEREST_REPORTS_KEY go together"),
        ({"WEBHOOK_HEADER": "no-colon-in-this-one"}, "WEBHOOK_HEADER: write it as"),
        ({"WRITE_KEYS": "no-colon-in-this-one"}, "WRITE_KEYS: write each as"),
        ({"WRITE_KEYS": "a:0123456789abcdef", "WRITE_KEY_LIMITS": "b:1:1"}, "no write key is named b"),
        ({"CONSOLE_USERS": "ann"}, "CONSOLE_USERS: write each as"),
        ({"CONSOLE_USER_HEADER": "X-User"}, "CONSOLE_USER_HEADER: name its proxy"),
        ({"OTEL_LOGS_EXPORTER": "otlp"}, "OTEL_LOGS_EXPORTER: otlp needs"),
        ({"OUTBOX_URL": "mysql://localhost/x"}, "OUTBOX_URL: must be"),
        ({"CONTENT_ID": "no_such"}, "CONTENT_ID"),
        ({"GEOIP_DB": "no-such.mmdb"}, "GEOIP_DB: no-such.mmdb cannot be read"),
    ],
)
def test_check_refuses_the_settings_that_a_server_refuses(run: Run, given: dict[str, str], told: str) -> None:
    """Each of them stopped a server behind a check that had said nothing."""
    result = run("check", **given)
    assert type(result.exception) is ConfigurationError
    assert told in str(result.exception)


def test_check_reports_the_faults_of_settings_and_files_at_once(run: Run, tmp_path: Path) -> None:
    begin = "name: A\nsubscribe: type = 'x'\naction: report_conversion_event\nmapping:\n  event_name: lead\n"
    (tmp_path / "a.yaml").write_text(f"{begin}  custom_data:\n    currency: EURO\n    value: 2026-01-01\n", "utf-8")
    (tmp_path / "b.yaml").write_text("name: B\nmapping: {event_name: @path}\n", "utf-8")
    (tmp_path / "token").write_text("\n", "utf-8")
    told = {
        "PORT": ("eighty", "PORT: must be a whole number, 0 or more, at most 65,535; the value is 'eighty'"),
        "TRUSTED_PROXIES": ("10.0.0.0/33", "TRUSTED_PROXIES: 10.0.0.0/33 is not an IP address or a network"),
        "PINTEREST_CONVERSION_TOKEN": ("Bearer pina_1", "PINTEREST_CONVERSION_TOKEN: must be the token only"),
        "PINTEREST_AD_ACCOUNT_ID": ("549755885175", ""),
        "PINTEREST_ADS_TOKEN_FILE": ("/nowhere/token", "PINTEREST_ADS_TOKEN_FILE: cannot read /nowhere/token: No such"),
        "CONSOLE_PASSWORD": ("short", "HOST=0.0.0.0 lets anyone guess secrets: WEBHOOK_HEADER, CONSOLE_PASSWORD must"),
        "CONSOLE_USERS": ("ann:operator:0123456789abcdef", "CONSOLE_USERS: CONSOLE_USERS_FILE is set too: remove"),
        "CONSOLE_USERS_FILE": (str(tmp_path / "token"), ""),
        "HOST": ("0.0.0.0", ""),
        "WEBHOOK_HEADER": ("no-colon", "WEBHOOK_HEADER: write it as `Name: value`"),
        "SOURCES": (
            "shopfy",
            "SOURCES: there is no file shopfy.yaml in the folders of sources: did you mean 'shopify'?",
        ),
        "PUBLISH_FAIL_IF": ("lost", "PUBLISH_FAIL_IF: 'lost' is no limit"),
        "OUTBOX_URL": (
            "postgresql://ann:s3@hush@db.example/x",
            "OUTBOX_URL: the host is read as ...@db.example: percent",
        ),
        "PINTEREST_ACCESS_TOKEN": ("1", ""),
    }
    result = run("check", "--presets", tmp_path, **{name: value for name, (value, _) in told.items()})
    assert type(result.exception) is ConfigurationError
    lines = str(result.exception).splitlines()
    for start in filter(None, (start for _, start in told.values())):
        assert sum(line.startswith(start) for line in lines) == 1, (start, lines)
    for part in (
        "a.yaml: /mapping/custom_data/currency: line 7: 'EURO' is never sent, it is no ISO 4217 currency. Write ",
        "a.yaml: /mapping/custom_data/value: line 8: '2026-01-01' is never sent, no amount can be read from it",
        "b.yaml: not readable YAML: line 2, column 23: quote the text that begins with @",
    ):
        assert sum(part in line for line in lines) == 1, (part, lines)
    assert len(lines) == 13, "\n".join(lines)
    assert not any(secret in str(result.exception) for secret in ("pina_1", "short", "s3@", "hush", "0123456789abcdef"))
    nearest = "PINTEREST_ACCESS_TOKEN (nearest: PINTEREST_ADS_TOKEN or PINTEREST_CONVERSION_TOKEN)"
    assert nearest in result.stderr


@pytest.mark.parametrize(
    "given",
    [
        {"QUARANTINE_HOURS": "24", "QUARANTINE_KEY": "k" * 32},
        {"PINTEREST_ADS_TOKEN": "pina_" + "t" * 16},
    ],
)
def test_check_takes_the_settings_that_a_server_takes(run: Run, given: dict[str, str]) -> None:
    assert run("check", **given).exit_code == 0


def test_check_prints_named_sources_and_names_their_faults(run: Run) -> None:
    given = {"SOURCES": "rudderstack,shopify", "RUDDERSTACK_SECRET": "0123456789abcdef"}
    result = run("check", **given)
    assert type(result.exception) is ConfigurationError
    assert "sources/shopify.yaml: /proofs/0/secret: is missing: set SHOPIFY_WEBHOOK_SECRET" in str(result.exception)
    printed = run("check", **given, SHOPIFY_WEBHOOK_SECRET="0123456789abcdef").stdout
    rows = {line.split()[1]: line.split()[3:] for line in printed.splitlines() if "/webhook" in line}
    assert rows["default"][:7:2] == ["/webhook", "segment", "no", "public"], "it has no secret, and others have one"
    assert rows["rudderstack"][:7:2] == ["/webhook/rudderstack", "segment", "yes", "public"]
    assert rows["shopify"][:7:2] == ["/webhook/shopify", "mapped", "yes", "trusted"]


def test_check_says_of_each_source_who_makes_its_events_and_whether_they_are_trusted(run: Run) -> None:
    given = {"SOURCES": "rudderstack,shopify", "RUDDERSTACK_SECRET": "0123456789abcdef"}
    given |= {"SHOPIFY_WEBHOOK_SECRET": "0123456789abcdef", "TRUSTED_SENDERS": "erp"}
    given["WRITE_KEYS"] = "page:0123456789abcdef,erp:0123456789abcdea"
    sources = json.loads(run("check", "--json", **given).stdout)["sources"]
    assert {each["source"]: (each["path"], each["authors"], each["trusted"]) for each in sources} == {
        "default": ("/webhook", "browser", False),
        "page": ("/v1", "browser", False),
        "erp": ("/v1", "server", True),
        "rudderstack": ("/webhook/rudderstack", "browser", False),
        "shopify": ("/webhook/shopify", "server", True),
    }
    assert {each["kind"] for each in sources if each["source"] == "shopify"} == {"mapped"}


def test_check_shows_which_write_keys_are_trusted(run: Run) -> None:
    given = {"WRITE_KEYS": "shop:0123456789abcdef,erp:0123456789abcdea", "TRUSTED_SENDERS": "erp"}
    rows = {line.split()[1]: line.split()[3:] for line in run("check", **given).stdout.splitlines() if "/v1" in line}
    assert {name: row[:7:2] for name, row in rows.items()} == {
        "shop": ["/v1", "segment", "yes", "public"],
        "erp": ["/v1", "segment", "yes", "trusted"],
    }


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([PAGE, SCREEN]),
        json.dumps([PAGE, SCREEN], indent=2),
        f"{json.dumps(PAGE)}\n{json.dumps(SCREEN)}\n",
        json.dumps({"batch": [PAGE, SCREEN]}),
    ],
    ids=["array", "indented array", "NDJSON", "batch"],
)
def test_preview_reads_events_in_every_form_that_files_have(run: Run, text: str) -> None:
    page, screen = lines(run("preview", "-", stdin=text))
    assert (page["message_id"], page["deliveries"][0]["outcome"]) == ("p-1", "enqueued")
    assert page["deliveries"][0]["event"]["event_name"] == "page_visit"
    assert (screen["message_id"], screen["deliveries"][0]["outcome"]) == ("s-1", "unmatched")


def test_preview_reads_a_file_with_one_event(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(PAGE, indent=2), encoding="utf-8")
    (page,) = lines(run("preview", file))
    assert page["deliveries"][0]["preset"] == "Page Visit"


def test_preview_tells_what_is_no_event(run: Run) -> None:
    (line,) = lines(run("preview", "-", stdin="[3]"))
    assert line["deliveries"][0]["outcome"] == "refused"


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(PAGE).encode(),
        json.dumps({"json": PAGE}).encode(),
        json.dumps({"batch": [PAGE]}, indent=1).encode(),
        gzip.compress(json.dumps([PAGE]).encode()),
    ],
    ids=["event", "wrapped", "batch", "gzip"],
)
def test_preview_and_import_read_the_same_files(run: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "events"
    file.write_bytes(content)
    (from_file,), (from_pipe,) = lines(run("preview", file)), lines(run("preview", "-", stdin=content))
    assert from_file["deliveries"][0]["outcome"] == from_pipe["deliveries"][0]["outcome"] == "enqueued"
    assert json.loads(run("import", file, "--json").stdout)["outcomes"] == {"enqueued": 1}


def test_a_file_that_cannot_be_read_is_named(run: Run, tmp_path: Path) -> None:
    result = run("preview", tmp_path / "nowhere")
    assert result.exit_code == 2
    told = " ".join(result.output.replace("│", " ").split())
    assert "cannot read " in told
    assert "nowhere: No such file or directory" in told


def explained(run: Run, *events: Any, **settings: str) -> str:
    result = run("preview", "-", "--explain", stdin=json.dumps(events), **settings)
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def test_preview_explains_each_field_by_the_path_it_came_from(run: Run) -> None:
    told = explained(run, PAGE, 3)
    assert "p-1: 1 delivery to Pinterest: Page Visit." in told
    assert "Page Visit: would be sent" in told
    assert "context.userAgent" in told
    assert "(the mapping itself)" in told
    assert "Refused. line 1, event 2: the event is not a JSON object" in told


def test_a_mapped_field_that_finds_nothing_is_explained_with_the_nearest_path(run: Run, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        'name: Own\nsubscribe: type = "page"\naction: report_conversion_event\nmapping:\n  event_name: page_visit\n'
        "  app_id: {'@path': $.context.appId}\n  app_name: {'@path': $.context.product}\n",
        "utf-8",
    )
    event = PAGE | {"context": {**PERSON, "app_id": 7}}
    (line,) = lines(
        run("preview", "-", "--explain", "--json", "--presets", tmp_path, stdin=json.dumps(event), COLUMNS="200")
    )
    missing = {each["field"]: each for each in line["presets"][0]["fields"] if "nearest" in each}
    told = " ".join(run("preview", "-", "--explain", "--presets", tmp_path, stdin=json.dumps(event)).stdout.split())

    assert missing == {
        "app_id": {**_NOTHING, "field": "app_id", "from": ["context.appId"], "nearest": "context.app_id"},
        "app_name": {**_NOTHING, "field": "app_name", "from": ["context.product"], "nearest": ""},
    }
    assert "app_id │ context.appId │ (nothing found; nearest: context.app_id) │ (not sent)" in told
    assert "app_name │ context.product │ (nothing found) │ (not sent)" in told


_NOTHING = {"value": None, "normalised": "", "sent": None}


def test_an_event_that_no_preset_takes_is_explained_by_the_conditions_that_failed(run: Run) -> None:
    told = explained(run, SCREEN)
    assert "s-1: No preset matches this event." in told
    assert 'Page Visit │ type = "page" │ "screen"' in told


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"integrations": {"All": False}}, "p-1: Withheld. integrations: All is off"),
        ({"context": {}}, "Page Visit: invalid: user_data needs at least one of"),
        ({"context": {**PAGE["context"], "locale": "[bold]xx"}}, "p-1: 1 delivery"),
    ],
)
def test_what_is_not_sent_is_explained_in_the_words_of_the_receipt(
    run: Run, changes: dict[str, Any], said: str
) -> None:
    assert said in explained(run, PAGE | changes)
    (line,) = lines(run("preview", "-", stdin=json.dumps(PAGE | changes)))
    (delivery,) = line["deliveries"]
    assert delivery["reason"] in explained(run, PAGE | changes)


def test_preview_stores_nothing(run: Run, tmp_path: Path) -> None:
    run("preview", "-", stdin=json.dumps(PAGE), OUTBOX_URL=f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == [tmp_path / "o.db"]


def test_preview_tells_what_was_sent_before_and_since_when(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "events"
    file.write_text(json.dumps(PAGE), encoding="utf-8")
    assert lines(run("preview", file))[0]["deliveries"][0]["outcome"] == "enqueued"
    run("import", file)

    (line,) = lines(run("preview", file))
    assert line["deliveries"][0]["outcome"] == "duplicate"
    (line,) = lines(run("preview", file, "--explain", "--json"))
    (preset,) = (each for each in line["presets"] if each["matched"])
    assert preset["seen_at"] == json.loads(run("message", "p-1", "--json").stdout)["deliveries"][0]["enqueued_at"]
    told = explained(run, PAGE)
    assert "p-1: Sent before." in told
    assert "a duplicate: the same event_id was taken before, as delivery 1 (20" in told


@pytest.mark.parametrize(
    ("events_while_off", "outcome", "said"),
    [
        ("delay", "enqueued", "Page Visit: would be sent, but held for now: the preset is switched off"),
        ("withhold", "withheld", "Page Visit: withheld: the preset is switched off"),
    ],
)
def test_preview_and_import_obey_the_switches_as_the_server_does(
    run: Run, tmp_path: Path, events_while_off: str, outcome: str, said: str
) -> None:
    async def switch_off(outbox: Outbox) -> None:
        await PRESET_SWITCH.of("Page Visit").write(outbox, Switch(on=False))

    in_outbox(tmp_path, switch_off)
    file = tmp_path / "events"
    file.write_text(json.dumps(PAGE), encoding="utf-8")
    assert said in explained(run, PAGE, EVENTS_WHILE_OFF=events_while_off)
    for arguments in (("--dry-run",), ()):
        result = run("import", file, *arguments, "--json", EVENTS_WHILE_OFF=events_while_off)
        assert json.loads(result.stdout)["outcomes"] == {outcome: 1}


def test_the_source_of_events_says_what_may_be_sent_on_and_to_which_ad_accounts(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    strict = "name: strict\nkind: segment\nproofs: [{kind: anyone}]\nconsent_categories: [ads]\n"
    (tmp_path / "sources" / "strict.yaml").write_text(strict, encoding="utf-8")
    (tmp_path / "destinations").mkdir()
    for name, number in (("strict", 1), ("default", 2)):
        text = f'name: For {name}\nad_account_id: "{number}"\nmode: sandbox\nsources: [{name}]\n'
        (tmp_path / "destinations" / f"{name}.yaml").write_text(text, encoding="utf-8")
    folders = {"SOURCES_DIR": str(tmp_path / "sources"), "DESTINATIONS_DIR": str(tmp_path / "destinations")}
    context: dict[str, Any] = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
    page: dict[str, Any] = {"type": "page", "messageId": "m", "timestamp": time.time(), "context": context}
    opt_outs = {"context": context | {"consent": {"categoryPreferences": {"ads": False}}}}

    def told(event: Any, *arguments: str) -> list[tuple[str, str | None]]:
        (line,) = lines(run("preview", *arguments, stdin=json.dumps(event), **folders))
        return [(each["outcome"], each.get("destination")) for each in line["deliveries"]]

    assert told(page) == told(page | opt_outs) == [("enqueued", "For default")]
    assert told(page, "--source", "strict") == [("enqueued", "For strict")]
    assert told(page | opt_outs, "--source", "strict") == [("withheld", None)]
    assert "preview-source shopify" in run("preview", "--source", "shopify", stdin="{}").output
