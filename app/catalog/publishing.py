"""Publish a file of the catalog from the console: each time as a version, with its changes to privacy, reversibly."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from app.catalog.catalog import Catalog, RunningCatalog, generation_of
from app.catalog.opt_outs import defaults_with_opt_outs
from app.catalog.yaml_files import VERSIONS
from app.config.environment import as_in_settings
from app.core.values.texts import visible
from app.errors import PublishingRefused

#: Fields with an opt-out, or that decide whose data is sent. All members of `user_data` count too.
_FLAGS: Final = frozenset(
    {"opt_out", "gpc", "advertiser_tracking_enabled", "person_blocks", "custom_data/opt_out_type"}
)
_NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyChange:
    """A changed directive or value of a field of a preset."""

    preset: str
    #: `user_data/email`, or `memory` for the groups that identity memory may add.
    field: str
    #: The directive or value as JSON, or `nothing`.
    was: str
    becomes: str


def privacy_changes(before: Catalog, after: Catalog) -> list[PrivacyChange]:
    """Return the changes that a person must confirm.

    They are those of changed presets, and the deviations of new presets from the defaults.
    """
    defaults = dict(_sensitive(defaults_with_opt_outs(before.action)))
    old = {preset.name: preset for preset in before.presets}
    changes = []
    for preset in after.presets:
        known = old.get(preset.name)
        was, becomes = dict(_sensitive(known.fields)) if known else defaults, dict(_sensitive(preset.fields))
        if known is not None:
            was["memory"], becomes["memory"] = _listed(known.remembered), _listed(preset.remembered)
        changes += [
            PrivacyChange(
                preset=preset.name, field=field, was=was.get(field, _NOTHING), becomes=becomes.get(field, _NOTHING)
            )
            for field in sorted(was.keys() | becomes.keys())
            if was.get(field) != becomes.get(field)
        ]
    return changes


def _sensitive(fields: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        field = f"{place}{name}"
        if type(value) is dict and not any(key.startswith("@") for key in value):
            yield from _sensitive(value, f"{field}/")
        elif field in _FLAGS or field.startswith("user_data"):
            yield field, orjson.dumps(value).decode()


def _listed(groups: frozenset[str]) -> str:
    return ", ".join(sorted(groups)) or _NOTHING


_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,95}\.ya?ml")
#: Maximum number of displayed characters of an invalid name.
_SHOWN: Final = 100
#: The author of a file that was not published here.
BY_HAND: Final = "edited by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a file."""

    #: From 1, without gaps.
    number: int
    #: Unix seconds.
    at: float
    author: str
    #: "" if the author gave no reason.
    why: str = ""
    #: `None`: the folder had no such file, so that the file of an earlier folder was used, or none.
    text: str | None


class Publisher:
    """Writes files of the running catalog. All methods read or write files, so they block."""

    def __init__(self, running: RunningCatalog, *, why_never: str = "") -> None:
        """Use the running catalog. `why_never` is the reason if publishing is impossible."""
        self._running = running
        self._why_never = why_never

    def why_not(self, file: str) -> str:
        """Return why a file cannot be published, with the remedy; "" if it can."""
        if self._why_never:
            return self._why_never
        folders, setting = self._folders(file)
        if fault := name_fault(file):
            return fault
        if len(folders) == 1:
            own = f"my-{setting.removesuffix('_DIR').lower()}"
            return (
                f"{setting} names one folder, that of the shipped files: make one of your own "
                f"(mkdir -p {own}/{VERSIONS}), set {setting}={as_in_settings(folders[0])},{own}, and start again."
            )
        if not os.access(folders[-1], os.W_OK):
            return f"{folders[-1]} cannot be written by Pinrelay: put the file there as you put the others."
        return ""

    def target(self, file: str) -> Path:
        return self._folders(file)[0][-1] / Path(file).name

    def own_text(self, file: str) -> str | None:
        """Return the text of the file in the operator's folder, or `None`."""
        return _read(self.target(file))

    def versions(self, file: str) -> list[Version]:
        """Return the versions of a file, newest first; a manual edit is the newest, with number 0."""
        found = [_version(path) for path in self._version_files(file)]
        newest = found[-1].text if found else None
        target = self.target(file)
        if (text := _read(target)) != newest:
            at = target.stat().st_mtime if text is not None else 0.0
            found.append(Version(number=0, at=at, author=BY_HAND, text=text))
        return found[::-1]

    def candidate(self, file: str, text: str | None) -> Catalog:
        """Return the catalog with the new text; `None` removes the file from the operator's folder.

        Raises CatalogError with all faults, or with all failing tests.
        """
        name = Path(file).name
        presets, mappings = dict(self._running.preset_texts), dict(self._running.mapping_texts)
        texts = mappings if self._is_mapping(file) else presets
        for path in [path for path in texts if Path(path).name == name]:
            del texts[path]
        shown, found = self.effective(file, text)
        if found is not None:
            texts[shown] = found
        sorted_texts = [dict(sorted(each.items(), key=lambda item: Path(item[0]).name)) for each in (presets, mappings)]
        return self._running.tested(self._running.compiled(*sorted_texts))

    def effective(self, file: str, text: str | None) -> tuple[str, str | None]:
        """Return path and text of the effective file after this text is published.

        `None` removes the file from the operator's folder: then that of an earlier folder is used, or none.
        """
        if text is not None:
            return str(self.target(file)), text
        for folder in self._folders(file)[0][-2::-1]:
            path = folder / Path(file).name
            if (text := _read(path)) is not None:
                return str(path), text
        return file, None

    def privacy_changes(self, candidate: Catalog) -> list[PrivacyChange]:
        """Return the changes that a person must confirm before a catalog replaces the running one."""
        return privacy_changes(self._running.catalog, candidate)

    def publish(self, file: str, text: str | None, *, author: str, at: float, base: str, why: str = "") -> Version:
        """Write a text, or delete the file, and store the version; the caller must reload the files.

        `why` is for people. `base` is the generation that the text was based on. Raises PublishingRefused if publishing
        is impossible, or files have changed since; CatalogError if the text has faults. No file has changed then.
        """
        if refusal := self.why_not(file):
            raise PublishingRefused(refusal)
        on_disk = generation_of(*self._running.read_files())
        if not base == on_disk == self._running.catalog.generation:
            raise PublishingRefused(
                "The files changed while you were editing. Open the page again and check your change."
            )
        self.candidate(file, text)
        numbered = [each for each in self.versions(file) if each.number == 0]
        try:
            for by_hand in numbered:
                self._keep(file, author=BY_HAND, at=by_hand.at, text=by_hand.text)
            version = self._keep(file, author=author, at=at, text=text, why=why)
            self._put(file, text, version)
        except OSError as exc:
            where = exc.filename or self.target(file)  # the error of a full disk has no file name
            told = f"{where} cannot be written: {exc.strerror}. Check its owner and the free disk space."
            raise PublishingRefused(told) from exc
        return version

    def _put(self, file: str, text: str | None, version: Version) -> None:
        """Write a text, or delete the file; if that fails, delete its version too."""
        try:
            self._write(self.target(file), text)
        except OSError:
            (self._version_folder(file) / f"{version.number}.json").unlink()
            raise

    def restore(self, file: str, text: str | None) -> None:
        """Restore the old text if a published text could not be loaded; the version remains."""
        self._write(self.target(file), text)

    def _keep(self, file: str, *, author: str, at: float, text: str | None, why: str = "") -> Version:
        number = max((int(path.stem) for path in self._version_files(file)), default=0) + 1
        folder = self._version_folder(file)
        folder.mkdir(parents=True, exist_ok=True)
        content: dict[str, Any] = {"at": at, "author": author, "why": why, "text": text}
        _write_whole(folder / f"{number}.json", orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())
        return Version(number=number, **content)

    def _write(self, path: Path, text: str | None) -> None:
        if text is None:
            path.unlink(missing_ok=True)
        else:
            _write_whole(path, text)

    def _version_folder(self, file: str) -> Path:
        target = self.target(file)
        return target.parent / VERSIONS / target.name

    def _version_files(self, file: str) -> list[Path]:
        found = self._version_folder(file).glob("*.json")
        return sorted((path for path in found if path.stem.isdecimal()), key=lambda path: int(path.stem))

    def _is_mapping(self, file: str) -> bool:
        return file in self._running.mapping_texts or Path(file).parent in self._running.folders["MAPPINGS_DIR"]

    def _folders(self, file: str) -> tuple[list[Path], str]:
        setting = "MAPPINGS_DIR" if self._is_mapping(file) else "PRESETS_DIR"
        return self._running.folders[setting], setting


def name_fault(file: str) -> str:
    """Return the fault in the name of a file to publish, with the remedy; "" if the name is valid."""
    name = Path(file).name
    if _FILE_NAME.fullmatch(name):
        return ""
    shown = visible(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")
    return (
        f'"{shown}" ({len(name):,} characters) cannot be the name of a file: it has at most 96 letters, digits, '
        "blanks, hyphens and underscores, begins with a letter or digit, and ends with .yaml."
    )


def _version(path: Path) -> Version:
    content = orjson.loads(path.read_bytes())
    return Version(number=int(path.stem), **content)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _write_whole(path: Path, text: str) -> None:
    """Write a file atomically, and durably in case of a crash."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
