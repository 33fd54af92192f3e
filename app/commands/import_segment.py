"""`pinrelay import-segment`: convert the mappings of Segment's or RudderStack's destination to presets."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.catalog.foreign_presets import ImportedPreset, import_preset, read_foreign
from app.catalog.presets import ACTION
from app.commands.terminal import AsJson, add_row, print_json, print_line, print_table, writing
from app.config import load_settings
from app.core.values.texts import count_of
from app.errors import CatalogError, Fault


def import_segment(
    file: Annotated[
        Path, typer.Argument(help="JSON from Segment's Public API or RudderStack. - reads standard input.")
    ],
    into: Annotated[Path, typer.Option("--into", help="Folder for the presets. Existing files are kept.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Write presets from a destination in Segment (its subscriptions) or RudderStack (its config).

    Prints for each field: carried over, left to the defaults, or not possible, and why. Exits with 1 if a mapping
    gives no preset.

    Example: pinrelay import-segment subscriptions.json --into my-presets
    """
    text = sys.stdin.read() if str(file) == "-" else _read(file)
    action_text = _action_text()
    imported = [import_preset(each, action_text) for each in read_foreign(text)]
    with writing("--into"):
        files = _write(imported, into)
    if as_json:
        print_json([_row(preset, path) for preset, path in zip(imported, files, strict=True)])
    else:
        _print(imported, files, into)
    if None in files:
        raise typer.Exit(1)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise CatalogError([Fault("", f"cannot be read: {exc}", file=str(file))]) from exc


def _action_text() -> str:
    found = [folder / f"{ACTION}.yaml" for folder in load_settings().mappings_dir]
    return _read(next((path for path in reversed(found) if path.exists()), found[0]))


def _write(imported: list[ImportedPreset], into: Path) -> list[Path | None]:
    """Write each preset to its own file; return the paths, `None` without a preset."""
    into.mkdir(parents=True, exist_ok=True)
    paths: list[Path | None] = []
    for preset in imported:
        if preset.text is None:
            paths.append(None)
            continue
        stem = re.sub(r"\W+", "_", preset.name.lower()).strip("_") or "preset"
        names = (f"{stem}.yaml" if number == 1 else f"{stem}_{number}.yaml" for number in range(1, 1_000))
        path = next(into / name for name in names if not (into / name).exists())
        path.write_text(preset.text, encoding="utf-8")
        paths.append(path)
    return paths


def _row(preset: ImportedPreset, path: Path | None) -> dict[str, object]:
    fields = [{"field": each.field, "outcome": each.outcome, "why": each.why} for each in preset.told]
    return {"preset": preset.name, "file": None if path is None else str(path), "fields": fields}


def _print(imported: list[ImportedPreset], files: list[Path | None], into: Path) -> None:
    made = count_of(len(files) - files.count(None), "preset")
    table = Table("preset", "field", "result", "why", title=made)
    for preset in imported:
        for each in preset.told:
            add_row(table, preset.name, each.field, each.outcome, each.why)
    print_table(table)
    for preset, path in zip(imported, files, strict=True):
        print_line(f"{preset.name}: {path or 'no preset, see above'}")
    print_line(f"Next: set PRESETS_DIR={into}, run `pinrelay check`, and try events with `pinrelay preview`.")
