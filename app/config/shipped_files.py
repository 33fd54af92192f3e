"""The files that come with Pinrelay: in a checkout its own folders, in a wheel those that it brings.

A wheel holds them in `app/_shipped`, laid out as the checkout is (see `force-include` in pyproject.toml).
"""

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parents[1]
_PACKED: Final = _PACKAGE / "_shipped"
#: The folders of YAML files.
FOLDERS: Final = ("presets", "mappings", "sources")


def shipped(name: str) -> Path:
    """Return where a file or folder lies that comes with Pinrelay: `presets`, `docs/prometheus-alerts.yaml`."""
    return (_PACKED if _PACKED.is_dir() else _PACKAGE.parent) / name


def folder_or_shipped(path: Path) -> Path:
    """Return a folder of a setting; for `presets`, `mappings` or `sources` that is not there, the shipped one."""
    return shipped(str(path)) if str(path) in FOLDERS and not path.exists() else path


def as_in_settings(folder: Path) -> str:
    """Return a folder as a setting names it that outlives an upgrade: the shipped ones by their name alone."""
    return folder.name if folder in map(shipped, FOLDERS) else str(folder)
