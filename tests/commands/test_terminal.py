"""Whatever strangers send, and whatever is typed: what commands print moves no cursor and hides nothing."""

import json
import sys
from pathlib import Path

import pytest
from rich.table import Table

from app.cli import main
from app.commands.terminal import print_table
from app.errors import PinrelayError
from tests.commands.conftest import Run
from tests.commands.test_reconcile import order
from tests.core.values.test_visible import does_something

EVIL = "x\x1b]0;pwned\x07\x9b31m\r\x08\u202egnp\u2066\u200b\U000e0041\xad[red]y[/red]"
#: What shows what arrived, by what strangers name; and what quotes what was typed.
READING = (
    ("find", EVIL),
    ("find", "--json", EVIL),
    ("message", EVIL),
    ("message", "--json", EVIL),
    ("message", "unknown" + EVIL),
    ("events", "list"),
    ("events", "list", "--json"),
    ("events", "not-sent"),
    ("events", "not-sent", "--json"),
    (
        "orders",
        "revenue",
    ),
    ("orders", "revenue", "--json"),
    ("status",),
    ("status", "--json"),
    ("audit",),
    ("deliveries", "list"),
    ("deliveries", "list", f"--preset={EVIL}"),
    ("deliveries", "redrive", f"--preset={EVIL}"),
    ("reconcile", EVIL),
    ("import", EVIL),
    ("check", "--presets", EVIL),
    (EVIL,),
    ("status", f"--{EVIL}"),
    ("orders", "revenue", "--days", EVIL),
    ("quarantine", EVIL),
)


@pytest.mark.slow
def test_no_command_prints_what_a_terminal_obeys(run: Run, tmp_path: Path) -> None:
    event = order(1, order_id=EVIL, note=EVIL) | {"messageId": EVIL}
    file = tmp_path / "events"
    file.write_text("\n".join(map(json.dumps, (event, event | {"event": EVIL, "messageId": f"{EVIL}2"}))))
    found, silent = {}, []
    for words in (("import", file), *READING):
        result = run(*words)
        printed = result.stdout + result.stderr
        if not printed and not isinstance(result.exception, PinrelayError):
            silent.append(words)
        if obeyed := [hex(ord(char)) for char in printed if does_something(char) and char != "\n"]:
            found[words] = obeyed
    assert found == {}
    assert silent == [("events", "list", "--json")]  # an import is nothing that arrives


def test_an_error_is_told_without_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["pinrelay", "check", "--presets", EVIL])
    with pytest.raises(SystemExit, match="1"):
        main()
    told = capsys.readouterr().err
    assert told.startswith("pinrelay: ")
    assert [hex(ord(char)) for char in told if does_something(char) and char != "\n"] == []


def test_a_title_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(Table("a" * 40, title="[red]t[/red]\x1b"))
    assert "[red]t[/red]\\x1b" in capsys.readouterr().out
