"""`pinrelay import-segment`: files that `pinrelay check` takes, and a report."""

import json
from pathlib import Path

import pytest

from app.errors import CatalogError
from tests.catalog.test_foreign_presets import SAVED
from tests.commands.conftest import Run


def subscription(name: str, trigger: str = 'type = "track" AND event = "Order Completed"') -> dict[str, object]:
    return {"name": name, "enabled": True, "trigger": trigger, "settings": SAVED}


def write(folder: Path, *subscriptions: dict[str, object]) -> Path:
    file = folder / "subscriptions.json"
    file.write_text(json.dumps({"data": {"subscriptions": subscriptions}}), encoding="utf-8")
    return file


def test_it_writes_presets_that_can_be_used_and_says_what_became_of_each_field(run: Run, tmp_path: Path) -> None:
    into = tmp_path / "mine"
    result = run("import-segment", write(tmp_path, subscription("Orders / all")), "--into", into)
    assert result.exit_code == 0
    assert "opts everybody out" in result.stdout
    assert [path.name for path in into.iterdir()] == ["orders_all.yaml"]
    assert "Orders / all" in run("check", "--presets", into).stdout


@pytest.mark.parametrize("text", ["[red]x[/red]", "\x1b[2J", "\u202etxt"])
def test_no_name_is_taken_for_markup_or_moves_the_cursor(run: Run, tmp_path: Path, text: str) -> None:
    shown = run("import-segment", write(tmp_path, subscription(text)), "--into", tmp_path / "mine").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert f"\n{ascii(text)[1:-1]}: " in shown


def test_no_file_is_replaced(run: Run, tmp_path: Path) -> None:
    into = tmp_path / "mine"
    file = write(tmp_path, subscription("Orders"), subscription("Orders"))
    run("import-segment", file, "--into", into)
    run("import-segment", "-", "--into", into, stdin=file.read_text(encoding="utf-8"))
    assert sorted(path.name for path in into.iterdir()) == [
        *("orders.yaml", "orders_2.yaml", "orders_3.yaml", "orders_4.yaml"),
    ]


def test_a_mapping_that_gives_no_preset_ends_with_1(run: Run, tmp_path: Path) -> None:
    result = run("import-segment", write(tmp_path, subscription("Odd", "type =")), "--into", tmp_path / "a", "--json")
    assert result.exit_code == 1
    (row,) = json.loads(result.stdout)
    assert (row["preset"], row["file"], row["fields"][-1]["field"]) == ("Odd", None, "subscribe")


def test_a_file_that_cannot_be_read_is_told(run: Run, tmp_path: Path) -> None:
    assert isinstance(run("import-segment", tmp_path / "none", "--into", tmp_path).exception, CatalogError)
