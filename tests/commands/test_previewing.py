"""`pinrelay check` and `pinrelay preview`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from app.errors import CatalogError

Run = Callable[..., Result]
PAGE = {"type": "page", "messageId": "p-1", "context": {"ip": "203.0.113.9", "userAgent": "x"}}
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
    rows = json.loads(run("check", "--json").stdout)
    assert {"preset": "Page Visit", "event_name": "page_visit", "enabled": True} in [
        {name: row[name] for name in ("preset", "event_name", "enabled")} for row in rows
    ]


def test_check_names_the_faults(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: Bad\nsubscribe: type ==\naction: report_conversion_event\n", "utf-8")
    result = run("check", "--presets", tmp_path)
    assert isinstance(result.exception, CatalogError)
    assert "/subscribe" in str(result.exception)


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
def test_preview_reads(run: Run, text: str) -> None:
    page, screen = lines(run("preview", "-", stdin=text))
    assert (page["message_id"], page["deliveries"][0]["exit"]) == ("p-1", "enqueued")
    assert page["deliveries"][0]["event"]["event_name"] == "page_visit"
    assert (screen["message_id"], screen["deliveries"][0]["exit"]) == ("s-1", "unmatched")


def test_preview_reads_a_file_with_one_event(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(PAGE, indent=2), encoding="utf-8")
    (page,) = lines(run("preview", file))
    assert page["deliveries"][0]["preset"] == "Page Visit"


def test_preview_tells_what_is_no_event(run: Run) -> None:
    (line,) = lines(run("preview", "-", stdin="[3]"))
    assert line["deliveries"][0]["exit"] == "refused"


def test_preview_explains_each_field_by_the_path_it_came_from(run: Run) -> None:
    result = run("preview", "-", "--explain", stdin=json.dumps([PAGE, SCREEN, 3]))
    assert result.exit_code == 0
    assert "context.userAgent" in result.stdout
    assert "(the mapping itself)" in result.stdout
    assert "refused: " in result.stdout


def test_preview_stores_nothing(run: Run, tmp_path: Path) -> None:
    run("preview", "-", stdin=json.dumps(PAGE))
    assert list(tmp_path.iterdir()) == []
