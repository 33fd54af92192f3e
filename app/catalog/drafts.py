"""Files that may run one day: read from any folder, and laid over those that run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.catalog.catalog import Catalog, FileTexts, RunningCatalog
from app.catalog.yaml_files import parse_yaml
from app.errors import CatalogError, Fault

#: Where a folder of everything has its files.
_INSIDE = ("", "presets", "mappings", "sources")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The files of a draft: text by path."""

    presets: dict[str, str] = field(default_factory=dict)
    mappings: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> frozenset[str]:
        return frozenset({*self.presets, *self.mappings, *self.sources})

    def over(self, running: RunningCatalog) -> Catalog:
        """Return the catalog that runs with these files in place of those of the same names. Raises CatalogError."""
        return running.compiled(_over(running.preset_texts, self.presets), _over(running.mapping_texts, self.mappings))


def _over(texts: FileTexts, own: FileTexts) -> dict[str, str]:
    named = {Path(file).name: (file, text) for files in (texts, own) for file, text in files.items()}
    return dict(file for _, file in sorted(named.items()))


def read_draft(paths: Iterable[Path]) -> Draft:
    """Read files and folders of presets, mappings and sources, which are told apart by their keys.

    A folder is read with its folders `presets`, `mappings` and `sources`. Raises CatalogError where there is no file.
    """
    draft, faults = Draft(), []
    for path in paths:
        folders = [path / inside for inside in _INSIDE]
        found = [file for folder in folders for file in sorted(folder.glob("*.y*ml"))] if path.is_dir() else [path]
        if not found:
            faults.append(Fault("", "the folder has no YAML file: name another", file=str(path)))
        for file in found:
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as exc:
                reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8"
                faults.append(Fault("", f"cannot be read: {reason}", file=str(file)))
                continue
            texts = _kind(parse_yaml(text), draft)
            if texts is not None:
                texts[str(file)] = text
    if faults:
        raise CatalogError(faults)
    return draft


def _kind(value: object, draft: Draft) -> dict[str, str] | None:
    """Return among which files a file counts; None for one of a destination. What cannot be read is a preset."""
    keys = value.keys() if isinstance(value, Mapping) else ()
    if "ad_account_id" in keys:
        return None
    return draft.sources if "proofs" in keys else draft.mappings if "fields" in keys else draft.presets
