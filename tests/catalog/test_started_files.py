from pathlib import Path

import pytest

from app.catalog.destinations import load_destinations
from app.catalog.yaml_files import StartedFiles

US = 'name: Shop US\nad_account_id: "549755885175"\nmode: sandbox\n'
FR = 'name: Shop FR\nad_account_id: "549755885176"\nmode: sandbox\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "us.yaml").write_text(US, encoding="utf-8")
    return tmp_path


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def started(folder: Path, told: list[str]) -> StartedFiles:
    return StartedFiles("DESTINATIONS_DIR", folder, lambda: load_destinations(folder), on_change=told.append)


def test_files_that_are_as_they_were_need_no_restart(started: StartedFiles, folder: Path, told: list[str]) -> None:
    started.look()
    (folder / "us.yaml").write_text(US, encoding="utf-8")  # written anew, as it was
    started.look()
    assert (started.notice, told) == ("", [])


@pytest.mark.parametrize(
    ("changes", "notice"),
    [
        ({"us": US + "enabled: true\n"}, "changed since the start: us.yaml. Restart to apply it."),
        ({"fr": FR}, "changed since the start: fr.yaml. Restart to apply it."),
        ({"us": None, "fr": FR}, "changed since the start: fr.yaml, us.yaml. Restart to apply it."),
        ({"us": "name: X\n"}, "changed since the start: us.yaml. A restart would fail. "),
        ({"fr": US}, "changed since the start: fr.yaml. A restart would fail. "),
        ({"us": None}, "its files cannot be read, so a restart would fail. "),
    ],
    ids=["changed", "a new one", "another name", "a fault", "a fault of two", "none is left"],
)
def test_a_change_is_told_once_with_what_would_keep_a_restart_from_coming_up(
    started: StartedFiles, folder: Path, told: list[str], changes: dict[str, str | None], notice: str
) -> None:
    for name, text in changes.items():
        path = folder / f"{name}.yaml"
        path.unlink() if text is None else path.write_text(text, encoding="utf-8")
    for _ in range(3):
        started.look()
    assert started.notice.startswith(f"DESTINATIONS_DIR: {notice}")
    assert told == [started.notice]


def test_what_is_changed_back_needs_no_restart(started: StartedFiles, folder: Path, told: list[str]) -> None:
    (folder / "us.yaml").write_text("name: X\n", encoding="utf-8")
    started.look()
    assert "/ad_account_id" in started.notice
    (folder / "us.yaml").write_text(US, encoding="utf-8")
    started.look()
    assert (started.notice, len(told)) == ("", 1)
