"""`pinrelay audit`: who did what."""

import json
from pathlib import Path

import pytest

from app.commands.terminal import caller
from app.outbox import Outbox
from tests.commands.conftest import Run
from tests.commands.stored import in_outbox
from tests.outbox.build import audited


def write(tmp_path: Path, *targets: str) -> None:
    async def fill(outbox: Outbox) -> None:
        for target in targets:
            await outbox.write_audit(audited(target=target))

    in_outbox(tmp_path, fill)


def test_it_shows_the_newest_first_and_as_many_as_are_asked_for(run: Run, tmp_path: Path) -> None:
    write(tmp_path, *map(str, range(700)))
    lines = [json.loads(line) for line in run("audit", "--json", "--limit", "600").stdout.splitlines()]
    assert [line["target"] for line in lines] == [str(number) for number in range(699, 99, -1)]
    assert lines[0].items() >= {"who": "ada", "what": "switched", "before": "on", "after": "off"}.items()


def test_as_a_table_it_has_all_columns(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "Lead")
    shown = run("audit").stdout
    assert all(text in shown for text in ("2027-01-15 08:00:00", "ada", "192.0.2.7", "switched", "Lead", "on", "off"))


def test_an_empty_log_is_no_fault(run: Run) -> None:
    assert run("audit", "--json").stdout == ""
    assert run("audit").stdout == "No entries.\n"


def test_a_redrive_by_command_is_noted_with_whoever_calls_it(run: Run) -> None:
    run("deliveries", "redrive", "--preset=Lead", "--reason=currency")
    (line,) = [json.loads(line) for line in run("audit", "--json").stdout.splitlines()]
    assert line["who"].endswith(" (command line)")
    assert (line["what"], line["target"]) == ("redriven", "preset Lead, reason currency")
    assert (line["before"], line["after"]) == ("", "0 redriven")


@pytest.mark.parametrize("text", ["[red]x[/red]", "[link=https://evil.example]x[/link]", "\x1b[2J", "\u202etxt"])
def test_no_text_is_taken_for_markup_or_moves_the_cursor(run: Run, tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    shown, as_json = run("audit").stdout, run("audit", "--json").stdout
    assert "\x1b" not in shown + as_json
    assert "\u202e" not in shown + as_json
    assert ascii(text)[1:-1] in shown
    assert json.loads(as_json)["target"] == text


def test_a_user_without_a_name_is_called_by_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)
    assert caller().name == "uid 4000000000 (command line)"
