"""The YAML files of the catalog's folders, as texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

from app.errors import CatalogError, Fault

#: Where the versions of published files lie, in the folder of those: it may hold no file but what was published.
VERSIONS: Final = ".versions"

#: One folder, or several of which a later one replaces files of the same name.
Folders: TypeAlias = str | Path | Sequence[str | Path]


def read_texts(**kinds: Folders) -> list[dict[str, str]]:
    """Read the files of each kind: a dict of text by path, as shown to people, in the order of file names.

    A kind is called as the setting is that names its folders: `PRESETS_DIR=...`.

    Raises CatalogError with every folder and file that cannot be read.
    """
    faults: list[Fault] = []
    texts = [_read_folders(setting, folders, faults) for setting, folders in kinds.items()]
    if faults:
        raise CatalogError(faults)
    return texts


def folders_of(folders: Folders) -> list[Path]:
    """Return the folders one by one."""
    return list(map(Path, [folders] if isinstance(folders, str | Path) else folders))


def _read_folders(setting: str, folders: Folders, faults: list[Fault]) -> dict[str, str]:
    """Return the text of each file by its shown path; of files of one name the last folder's."""
    chosen: dict[str, Path] = {}
    for folder in folders_of(folders):
        message = ""
        try:
            found = {path.name: path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"}}
            # A wrong path, or a mount that is missing: all events would go unmatched, in silence.
            if not found and not (folder / VERSIONS).is_dir():
                message = f"the folder has no YAML file: put one there, or take the folder out of {setting}"
            chosen |= found
        except (FileNotFoundError, NotADirectoryError):
            message = f"there is no such folder: make it, or name another in {setting}"
        except OSError as exc:
            message = f"cannot be read: {exc.strerror}"
        if message:
            faults.append(Fault(path="", message=message, file=str(folder)))
    return {str(path): text for _, path in sorted(chosen.items()) if (text := _read_file(path, faults)) is not None}


def _read_file(path: Path, faults: list[Fault]) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8"
        faults.append(Fault(path="", message=f"cannot be read: {reason}", file=str(path)))
        return None
