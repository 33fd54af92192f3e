"""A clone is enough: tests, targets and scripts read only the repository, the system and temporary files."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.process import ROOT

#: Folders at the root of the file system that are no user's; /data is the volume of the image.
_SYSTEM = {"bin", "data", "dev", "etc", "lib", "lib64", "opt", "proc", "run", "sbin", "srv", "sys", "tmp", "usr", "var"}
_OTHERS = {folder.name for folder in Path("/").iterdir() if folder.is_dir()} - _SYSTEM
#: Variables that may name a folder: programs write there.
_FOLDERS = {"SCREENSHOTS_DIR", "PROMETHEUS_MULTIPROC_DIR"}
_OWN_FILE = r"Path\(__file__\)(?:\.resolve\(\))?"


class OutsideError(Exception):
    """A file beside the repository was opened: put what a test needs into tests/."""


def trespasses(name: str, text: str) -> Iterator[str]:
    """Yield every piece of a file of the repository that names a path outside; `name` is the file's own path."""
    depth = len(Path(name).parts) - 1
    yield from re.findall(r"\b(?:ROOT|root|REPOSITORY)\.parents?\b", text)
    yield from re.findall(r"\bPath\.home\(\)|\bexpanduser\(|(?<![\w/])~/\w+", text)
    yield from (
        found for found in re.findall(rf"{_OWN_FILE}(?:\.parent\b(?!s))+", text) if found.count(".parent") > depth + 1
    )
    yield from (found[0] for found in re.findall(rf"({_OWN_FILE}\.parents\[(\d+)\])", text) if int(found[1]) > depth)
    yield from (found for found in re.findall(r"(?:\.\./)+\w*", text) if found.count("../") > depth)
    yield from (f"/{first}" for first in re.findall(r"(?<=[\"'`\s=(])/([\w-]+)(?=[/\"'`\s])", text) if first in _OTHERS)
    variables = re.findall(r"""(?:environ(?:\.get\(|\[)|getenv\()["'](\w+_(?:DIR|FOLDER|ROOT))\b""", text)
    yield from (variable for variable in variables if variable not in _FOLDERS)


def forbid(root: Path = ROOT) -> None:
    """Let this process open no file that lies beside the repository, for as long as it lives.

    Temporary files and Python's own may lie there; if the repository lies right among the temporary files, all may.
    """
    beside = f"{root.parent}/"
    needed = {sys.prefix, sys.base_prefix, tempfile.gettempdir(), os.environ.get("PYTEST_DEBUG_TEMPROOT", "/tmp")}
    below = {f"{Path(each).resolve()}/" for each in needed}
    allowed = (f"{root}/", f"{beside}.", *(each for each in below if each.startswith(beside)))
    if beside == "//" or beside in below:
        return

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"open", "os.listdir", "os.scandir"} and isinstance(arguments[0], str | os.PathLike):
            path = f"{os.path.abspath(arguments[0])}/"  # noqa: PTH100 - Path makes objects, for each file that is opened
            if path.startswith(beside) and path != beside and not path.startswith(allowed):
                raise OutsideError(f"{path[:-1]} lies outside the repository: put what a test needs into tests/")

    sys.addaudithook(look)
