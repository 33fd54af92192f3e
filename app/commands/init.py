"""`pinrelay init`: create a folder of files that the operator can change."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from app.commands.terminal import AsJson, print_json, print_line, writing
from app.config.environment import shipped
from app.config.settings_file import SETTINGS_FILE, settings_file_text
from app.errors import SettingsError

#: Copied files, by source.
_COPIED = {
    "presets": "presets",
    "docs/prometheus-alerts.yaml": "monitoring/prometheus-alerts.yaml",
    "docs/grafana-dashboard.json": "monitoring/grafana-dashboard.json",
}


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to write to. Created if missing.")] = Path(),
    *,
    as_json: AsJson = False,
) -> None:
    """Write a folder with commented settings, the presets, Prometheus alert rules and a Grafana dashboard.

    Run `pinrelay serve` in that folder to use them. Existing files are not replaced.

    Example: pinrelay init events && cd events && pinrelay serve
    """
    with writing("FOLDER"):
        written = _write_all(folder)
    if as_json:
        print_json({"folder": str(folder), "written": written})
        return
    print_line(f"In {folder}: {', '.join(written)}")
    print_line(f"Edit {SETTINGS_FILE}, run `pinrelay check`, then `pinrelay serve`.")


def _write_all(folder: Path) -> list[str]:
    """Write everything; return the paths below the folder. Raises OSError, and SettingsError if a file exists."""
    targets = [SETTINGS_FILE, *_COPIED.values()]
    if there := [name for name in targets if (folder / name).exists()]:
        raise SettingsError(f"{folder} already has {', '.join(there)}: name another folder, or move these away")
    (folder / "monitoring").mkdir(parents=True, exist_ok=True)
    for source, target in _COPIED.items():
        copy = shutil.copytree if shipped(source).is_dir() else shutil.copyfile
        copy(shipped(source), folder / target)
    settings = folder / SETTINGS_FILE
    settings.touch(mode=0o600)  # the file will contain secrets
    settings.write_text(settings_file_text(), encoding="utf-8")
    return targets
