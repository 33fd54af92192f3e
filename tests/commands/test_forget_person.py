"""`pinrelay forget`."""

import json
from pathlib import Path

from tests.commands.conftest import Run

MEMORY = {"REMEMBER_DAYS": "90", "REMEMBER_SECRET": "a secret of the installation, long"}
IDENTIFY = {
    "type": "identify",
    "messageId": "i",
    "timestamp": "2026-11-25T10:15:00Z",
    "userId": "ann",
    "anonymousId": "x",
    "traits": {"email": "ann@shop.example"},
}


def test_a_person_is_forgotten_and_a_second_time_there_is_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    file.write_text(json.dumps(IDENTIFY), encoding="utf-8")
    assert run("import", file, **MEMORY).exit_code == 0
    told = [json.loads(run("forget", "--user-id", "ann", "--json", **MEMORY).stdout) for _ in range(2)]
    assert told == [{"ids": 2, "messages": 0}, {"ids": 0, "messages": 0}]
    assert "0 ids forgotten" in run("forget", "--anonymous-id", "x", **MEMORY).stdout
    assert "forgot a person" in run("audit").stdout


def test_a_person_has_to_be_named(run: Run) -> None:
    assert run("forget", **MEMORY).exit_code == 2
