"""`pinrelay import`: every format, resumable, nothing twice."""

import gzip
import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from app.commands.terminal import time_text
from app.core.pages import FileImported
from app.core.shared_values import ERASED_AT
from app.operations import import_events
from tests.commands.conftest import Run
from tests.commands.stored import in_outbox

WHO = {"ip": "203.0.113.9", "userAgent": "x"}


def page(message_id: str, days_ago: float = 0) -> dict[str, Any]:
    happened = datetime.now(UTC) - timedelta(days=days_ago)
    return {"type": "page", "messageId": message_id, "timestamp": happened.isoformat(), "context": WHO}


def ndjson(*events: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def summary(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    facts: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return facts


@pytest.mark.parametrize(
    "content",
    [
        ndjson(page("a"), page("b")),
        b"\n" + ndjson(page("a"), page("b")),
        json.dumps([page("a"), page("b")], indent=1).encode(),
        json.dumps({"batch": [page("a"), page("b")]}).encode(),
        ndjson({"json": page("a")}, {"json": page("b")}),
        gzip.compress(ndjson(page("a"), page("b"))),
    ],
    ids=["NDJSON", "blank line first", "array", "batch", "wrapped", "gzip"],
)
def test_events_are_read_in_every_form_that_files_have(run: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "events"
    file.write_bytes(content)
    assert summary(run("import", file, "--json"))["outcomes"] == {"enqueued": 2}


@pytest.mark.parametrize(
    ("authors", "settings", "trust"),
    [
        ((), {}, "trusted"),  # no secret is set, so whoever reaches this machine is believed
        ((), {"WEBHOOK_HEADER": "X-Key: 0123456789abcdef"}, "public"),
        ((), {"WEBHOOK_HEADER": "X-Key: 0123456789abcdef", "TRUSTED_SENDERS": "webhook"}, "trusted"),
        (("--authors", "server"), {"WEBHOOK_HEADER": "X-Key: 0123456789abcdef"}, "trusted"),
        (("--authors", "browser"), {}, "public"),
    ],
)
def test_events_of_a_file_are_as_trusted_as_those_of_the_webhook_unless_an_option_says_who_made_them(
    run: Run, tmp_path: Path, authors: tuple[str, ...], settings: dict[str, str], trust: str
) -> None:
    """What the webhook received before must be known again: a trusted event repeats no public one."""
    file = tmp_path / "events"
    file.write_bytes(ndjson(page("a")))
    assert summary(run("import", file, *authors, "--json", **settings))["outcomes"] == {"enqueued": 1}
    assert json.loads(run("message", "a", "--json").stdout)["trust"] == trust


def test_a_line_that_cannot_be_read_is_refused_with_its_place_and_the_others_are_taken(
    run: Run, tmp_path: Path
) -> None:
    good, file, cut = tmp_path / "good", tmp_path / "events", tmp_path / "cut.gz"
    good.write_bytes(ndjson(page("x")))
    file.write_bytes(ndjson(page("a")) + b"{broken\n" + b"3\n" + ndjson(page("b"), {"messageId": "c"}))
    cut.write_bytes(gzip.compress(ndjson(page("y")))[:5])
    facts = summary(run("import", good, file, cut, "--json"))
    assert facts["outcomes"] == {"enqueued": 3, "refused": 4}
    not_json, no_object, no_type, no_archive = facts["reasons"]
    assert not_json == f"{file}: line 2 is not JSON in UTF-8"
    assert no_object == f"{file}: line 3: the event is not a JSON object"
    assert no_type.startswith(f"{file}: line 5: `type` is missing")
    assert no_archive.startswith(f"{cut}: the gzip archive is damaged")


def test_a_file_that_was_imported_before_says_so_and_what_takes_it_again(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "events"
    file.write_bytes(ndjson(page("a"), page("b")))
    began = time.time()
    assert summary(run("import", file, "--json"))["before"] == []

    facts = summary(run("import", file, "--json"))
    (before,) = facts["before"]
    assert facts["outcomes"] == {}
    assert before == {"file": str(file), "at": before["at"], "events": 2, "whole": True}
    assert began <= before["at"] <= time.time()
    told = run("import", file).stdout
    assert f"{file}: imported before, {time_text(before['at'])} UTC: 2 events, to its end." in told
    assert "use --again to read the file from the start" in told

    again = summary(run("import", file, "--again", "--json"))
    assert (again["outcomes"], again["before"]) == ({"duplicate": 2}, [])
    assert [each["whole"] for each in summary(run("import", file, "--json"))["before"]] == [True]


def test_what_was_interrupted_goes_on_where_it_stopped_and_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_events, "_BATCH", 2)
    file, written = tmp_path / "events", FileImported.__init__

    def dies_behind_the_first_batch(self: FileImported, *, done: int, at: float) -> None:
        if done > 2:
            raise KeyboardInterrupt
        written(self, done=done, at=at)

    file.write_bytes(ndjson(*(page(each) for each in "abc")))
    with monkeypatch.context() as once:
        once.setattr(FileImported, "__init__", dies_behind_the_first_batch)
        told = run("import", file, "--json")
        assert told.exit_code == 130, told.output
    told = run("import", file)
    assert re.search(r"duplicate\W+1\b", told.stdout)
    assert f"{file}: imported before, " in told.stdout
    assert ": 2 events. This run continued after them." in told.stdout


def test_the_same_event_in_another_file_is_a_duplicate(run: Run, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(ndjson(page("a")))
    second.write_bytes(ndjson(page("a"), page("b")))
    assert summary(run("import", first, second, "--json"))["outcomes"] == {"enqueued": 2, "duplicate": 1}


@pytest.mark.parametrize(("options", "is_told"), [((), True), (("--dry-run",), False)])
def test_a_delete_has_live_tails_let_go(run: Run, tmp_path: Path, options: tuple[str, ...], *, is_told: bool) -> None:
    file = tmp_path / "events"
    for event, told in ((page("a"), False), ({"type": "delete", "userId": "ann", "messageId": "d"}, is_told)):
        file.write_bytes(b"3\n" + ndjson(event))
        summary(run("import", file, "--json", *options))
        assert (in_outbox(tmp_path, ERASED_AT.read) is not None) is told


def test_a_dry_run_stores_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "events"
    file.write_bytes(ndjson(page("a")))
    assert summary(run("import", file, "--dry-run", "--json"))["outcomes"] == {"enqueued": 1}
    assert summary(run("import", file, "--json"))["outcomes"] == {"enqueued": 1}
    assert summary(run("import", file, "--dry-run", "--json"))["outcomes"] == {"duplicate": 1}


@pytest.mark.parametrize("since", ["2d", "48h", (datetime.now(UTC) - timedelta(days=2)).date().isoformat()])
def test_older_events_are_skipped(run: Run, tmp_path: Path, since: str) -> None:
    file = tmp_path / "events"
    file.write_bytes(ndjson(page("new"), page("old", days_ago=4), {**page("odd"), "timestamp": "last week"}))
    facts = summary(run("import", file, "--since", since, "--json"))
    assert facts["skipped"] == 1
    assert sum(facts["outcomes"].values()) == 2


def test_all_may_be_sent_as_offline(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "events"
    file.write_bytes(ndjson(page("a")))
    run("import", file, "--as", "offline")
    assert '"action_source":"offline"' in run("message", "a", "--json").stdout


@pytest.mark.parametrize(
    "option", [("--as", "shop"), *(("--since", text) for text in ("yesterday", "\u00b2d", "9" * 400 + "d"))]
)
def test_an_option_that_cannot_be_read_is_named(run: Run, tmp_path: Path, option: tuple[str, str]) -> None:
    file = tmp_path / "events"
    file.write_bytes(ndjson(page("a")))
    result = run("import", file, *option)
    assert result.exit_code == 2
    assert option[0] in result.output


def test_the_summary_names_exits_and_reasons(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "events"
    file.write_bytes(ndjson(page("a"), {"type": "screen", "messageId": "s"}))
    result = run("import", file)
    assert "enqueued" in result.stdout
    assert "no preset" in result.stdout
