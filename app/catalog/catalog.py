"""Compile preset and mapping files to a frozen Catalog, or raise an error that lists all faults; also for drafts."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from app.catalog.files import ActionFile, PresetFile
from app.catalog.presets import (
    ACTION,
    CompiledAction,
    Preset,
    compile_order,
    compile_person,
    compile_preset,
    in_file,
    read_action,
    read_preset_file,
)
from app.catalog.yaml_files import Folders, folders_of, parse_yaml, read_file, read_texts
from app.core.events import Event
from app.destination import EVENT_NAMES
from app.errors import CatalogError, Fault
from app.mapping import Mapping as CompiledMapping

#: Segment's limit for a destination (Segment's documentation of Actions, mappings).
MAX_ENABLED_PRESETS = 50

FileTexts: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """All presets and the action they share, checked and compiled."""

    action: ActionFile
    #: The action's defaults, for any event.
    defaults: CompiledMapping
    #: In the order of file names, including presets that are switched off.
    presets: tuple[Preset, ...]
    #: Those of `presets` that are switched on.
    enabled: tuple[Preset, ...]
    #: Changes with the files; equal in all processes with the same files.
    generation: str
    #: The action's file, and the compiled action.
    action_path: str
    compiled_action: CompiledAction = field(repr=False)
    #: The enabled presets that an event of this `type` and `event` can match; `None` stands for all other texts.
    _index: Mapping[tuple[str | None, str | None], tuple[Preset, ...]] = field(repr=False)

    @cached_property
    def cancellable(self) -> tuple[Preset, ...]:
        """Return the enabled presets whose orders an event may cancel."""
        return tuple(preset for preset in self.enabled if preset.withdrawn_by is not None)

    @cached_property
    def person(self) -> CompiledMapping:
        """Return the mapping of an event's person and the person's permissions, by the action's defaults."""
        return compile_person(self.action)

    @cached_property
    def order(self) -> CompiledMapping:
        """Return the mapping of an order's id, value and currency, by the action's defaults."""
        return compile_order(self.action)

    @property
    def warnings(self) -> list[Fault]:
        """Return legal but surprising properties of the files: opt-outs that are not read, overlapping presets."""
        dropped = {self.action_path: self.action.drops_opt_out} | {
            each.file: each.drops_opt_out for each in self.presets
        }
        return [
            Fault("/drops_opt_out", f"opt-outs at {', '.join(paths)} are not read: their events are sent", file=file)
            for file, paths in dropped.items()
            if paths
        ] + [Fault("/overlaps", each.overlap_reason, file=each.file) for each in self.enabled if each.overlapping]

    def alone(self, *presets: Preset) -> "Catalog":
        """Return a catalog with only these presets, switched on: for their tests and drafts."""
        return self.of(replace(preset, enabled=True) for preset in presets)

    def of(self, presets: Iterable[Preset]) -> "Catalog":
        """Return a catalog of these presets with the same action."""
        presets = _with_overlaps(tuple(presets))
        enabled = tuple(preset for preset in presets if preset.enabled)
        return replace(self, presets=presets, enabled=enabled, _index=_index(enabled))

    def preset_of(self, file: str) -> Preset | None:
        """Return the preset of a file, or `None`."""
        return next((each for each in self.presets if each.file == file), None)

    def bare_preset(self, event_name: str) -> Preset:
        """Return a preset that matches every event, with only the action's defaults. Raises CatalogError."""
        text = f"name: defaults\nsubscribe: type != ''\naction: {ACTION}\nmapping: {{event_name: {event_name!r}}}\n"
        preset, found = compile_preset(self.action_path, text, self.compiled_action, frozenset({event_name}))
        if preset is None:
            raise CatalogError(found)
        return preset

    def matching(self, event: Event) -> list[Preset]:
        """Return the enabled presets whose trigger is true for the event, in the catalog's order."""
        kind, name = event.get("type"), event.get("event")
        index = self._index
        if type(kind) is not str or type(name) is not str or (kind, name) not in index:
            kind = kind if type(kind) is str and (kind, None) in index else None
            name = name if type(name) is str and (kind, name) in index else None
        return [preset for preset in index[kind, name] if preset.trigger.matches(event)]


def load_catalog(presets_dir: Folders, mappings_dir: Folders, *, custom_event_names: Collection[str] = ()) -> Catalog:
    """Read, check and compile all files. Of several folders, a later one replaces files of the same name.

    `custom_event_names`: advertiser-defined names that may be sent in addition to Pinterest's own. Raises CatalogError
    with all faults of all files.
    """
    presets, mappings = read_texts(PRESETS_DIR=presets_dir, MAPPINGS_DIR=mappings_dir)
    return compile_catalog(presets, mappings, custom_event_names=custom_event_names)


def compile_catalog(
    presets: FileTexts,
    mappings: FileTexts,
    *,
    custom_event_names: Collection[str] = (),
    action: CompiledAction | None = None,
) -> Catalog:
    """Check and compile texts by file name, as `load_catalog` does with files; also used for drafts of the console.

    `action` is the compiled file of `mappings`, if it was compiled before. Raises CatalogError with all faults.
    """
    faults: list[Fault] = []
    action, action_path = (action, next(iter(mappings))) if action else _action(mappings, faults)
    files: dict[str, PresetFile] = {}
    for file, text in presets.items():
        spec, found = read_preset_file(text)
        faults.extend(in_file(file, found))
        if spec:
            files[file] = spec
    compiled: list[Preset] = []
    event_names = frozenset((*EVENT_NAMES, *custom_event_names))
    for file, text in presets.items():
        preset, found = compile_preset(file, text, action, event_names)
        faults.extend(in_file(file, found))
        if preset:
            compiled.append(preset)
    faults.extend(_faults_between(files))
    if faults or action is None:
        raise CatalogError(faults)
    resolved = _with_overlaps(compiled)
    enabled = tuple(preset for preset in resolved if preset.enabled)
    return Catalog(
        action=action.file,
        defaults=action.mapping,
        presets=resolved,
        enabled=enabled,
        generation=generation_of(presets, mappings),
        action_path=action_path,
        compiled_action=action,
        _index=_index(enabled),
    )


def _with_overlaps(presets: Iterable[Preset]) -> tuple[Preset, ...]:
    """Return the presets, each with the enabled ones that count the same conversions."""
    presets = tuple(presets)
    enabled = {each.name for each in presets if each.enabled}

    def resolved(preset: Preset) -> Preset:
        names = tuple(name for name in preset.overlaps.presets if name in enabled) if preset.overlaps else ()
        return preset if names == preset.overlapping else replace(preset, overlapping=names)

    return tuple(map(resolved, presets))


def _index(presets: Sequence[Preset]) -> dict[tuple[str | None, str | None], tuple[Preset, ...]]:
    """Index presets by the texts of `type` and `event` for which their triggers can be true (`None`: any)."""
    kinds = {None, *(kind for preset in presets for kind in preset.trigger.types or ())}
    names = {None, *(name for preset in presets for name in preset.trigger.events or ())}
    return {
        (kind, name): tuple(
            preset
            for preset in presets
            if (preset.trigger.types is None or kind in preset.trigger.types)
            and (preset.trigger.events is None or name in preset.trigger.events)
        )
        for kind in kinds
        for name in names
    }


def _action(mappings: FileTexts, faults: list[Fault]) -> tuple[CompiledAction | None, str]:
    """Return the action, `None` if it has faults, and its file."""
    for file, text in mappings.items():
        if Path(file).stem != ACTION:
            faults.append(Fault(path="", message=f"unknown action: only {ACTION}.yaml is read", file=file))
            continue
        action, found = read_action(text)
        faults.extend(in_file(file, found))
        return action, file
    faults.append(Fault(path="", message=f"MAPPINGS_DIR has no {ACTION}.yaml: restore the shipped file"))
    return None, ""


def _faults_between(files: Mapping[str, PresetFile]) -> list[Fault]:
    """Return faults that only occur between several files."""
    names = Counter(spec.name for spec in files.values())
    faults = [
        Fault(path="/name", message=f"another preset is named {spec.name!r}: rename one", file=file)
        for file, spec in files.items()
        if names[spec.name] > 1
    ]
    enabled = [file for file, spec in files.items() if spec.enabled]
    faults.extend(
        Fault(
            path="/enabled",
            message=f"is enabled preset number {number} of at most {MAX_ENABLED_PRESETS}: set `enabled: false` in one",
            file=file,
        )
        for number, file in enumerate(enabled[MAX_ENABLED_PRESETS:], start=MAX_ENABLED_PRESETS + 1)
    )
    return faults


def generation_of(*files: FileTexts) -> str:
    """Return a digest of the names and texts of files, independent of their folders."""
    digest = hashlib.sha256()
    for name, text in sorted((Path(file).name, text) for texts in files for file, text in texts.items()):
        digest.update(f"{name}\0{text}\0".encode())
    return digest.hexdigest()[:12]


class RunningCatalog:
    """Reads the files of the folders, and passes each new catalog to the pipeline."""

    def __init__(
        self,
        presets_dir: Folders,
        mappings_dir: Folders,
        *,
        custom_event_names: Collection[str] = (),
        check: Callable[[frozenset[str]], None] = lambda _: None,
    ) -> None:
        """Read the files.

        `check` gets the names of all presets, and raises CatalogError if a required preset is missing.
        """
        #: The folders of presets and of mappings, by the settings with their paths.
        self.folders = {"PRESETS_DIR": folders_of(presets_dir), "MAPPINGS_DIR": folders_of(mappings_dir)}
        self._custom_event_names = custom_event_names
        self._check = check
        self.preset_texts: dict[str, str] = {}
        self.mapping_texts: dict[str, str] = {}
        #: Returns the failing tests of a catalog, as faults of its files.
        self.failing: Callable[[Catalog], Sequence[Fault]] = lambda _: ()
        #: Called with each new catalog.
        self.on_change: Callable[[Catalog], None] = lambda _: None
        self.catalog = self._load()

    def _load(self) -> Catalog:
        presets, mappings = self.read_files()
        catalog = self.tested(self.compiled(presets, mappings))
        self._check(frozenset(preset.name for preset in catalog.presets))
        self.preset_texts, self.mapping_texts = presets, mappings
        return catalog

    @property
    def texts(self) -> dict[str, str]:
        """Return the texts of the catalog's files by displayed path: presets, then mappings."""
        return self.preset_texts | self.mapping_texts

    def with_draft(self, file: str, text: str) -> Catalog:
        """Return the catalog with this text in place of a file of `texts`. Raises CatalogError."""
        presets, mappings = dict(self.preset_texts), dict(self.mapping_texts)
        (mappings if file in mappings else presets)[file] = text
        return self.compiled(presets, mappings)

    def read_files(self) -> list[dict[str, str]]:
        """Return the current texts of presets and mappings on the disk. Raises CatalogError."""
        return read_texts(**self.folders)

    def compiled(self, presets: FileTexts, mappings: FileTexts, *, action: CompiledAction | None = None) -> Catalog:
        """Return the catalog of these texts under the same settings. Raises CatalogError.

        `action` is the compiled file of `mappings`, if it was compiled before.
        """
        return compile_catalog(presets, mappings, custom_event_names=self._custom_event_names, action=action)

    def tested(self, catalog: Catalog) -> Catalog:
        """Return the catalog. Raises CatalogError if a test of its files fails."""
        if faults := self.failing(catalog):
            raise CatalogError(faults)
        return catalog

    def preset_names(self) -> frozenset[str]:
        """Return the names of all running presets, including those that their files switch off."""
        return frozenset(preset.name for preset in self.catalog.presets)

    def reload(self) -> str:
        """Read the files again, all or none; return the new generation. Raises CatalogError.

        Failing tests are faults here, but not at the start.
        """
        self.catalog = self._load()
        self.on_change(self.catalog)
        return self.catalog.generation


#: Subfolders with files, in a folder of all kinds.
_INSIDE = ("", "presets", "mappings", "sources")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The files of a draft: text by path."""

    presets: dict[str, str] = field(default_factory=dict)
    mappings: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def kinds(self) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
        """Return the presets, mappings and sources."""
        return self.presets, self.mappings, self.sources

    @property
    def files(self) -> frozenset[str]:
        return frozenset().union(*self.kinds)

    def over(self, running: RunningCatalog) -> Catalog:
        """Return the running catalog with these files in place of those of the same names. Raises CatalogError."""
        return running.compiled(_over(running.preset_texts, self.presets), _over(running.mapping_texts, self.mappings))

    def alone(self, running: RunningCatalog) -> Catalog:
        """Return the catalog of the draft's presets, with the mapping of `over`. Raises CatalogError."""
        return running.compiled(self.presets, _over(running.mapping_texts, self.mappings))


def _over(texts: FileTexts, own: FileTexts) -> dict[str, str]:
    named = {Path(file).name: (file, text) for files in (texts, own) for file, text in files.items()}
    return dict(file for _, file in sorted(named.items()))


def read_draft(paths: Iterable[Path]) -> Draft:
    """Read files and folders of presets, mappings and sources, which are distinguished by their keys.

    A folder is read with its folders `presets`, `mappings` and `sources`. Raises CatalogError if there is no file.
    """
    draft, faults = Draft(), []
    for path in paths:
        folders = [path / inside for inside in _INSIDE]
        found = [file for folder in folders for file in sorted(folder.glob("*.y*ml"))] if path.is_dir() else [path]
        if not found:
            faults.append(Fault("", "the folder has no YAML file: name another", file=str(path)))
        for file in found:
            text = read_file(file, faults)
            if text is not None and (texts := _kind(parse_yaml(text), draft)) is not None:
                texts[str(file)] = text
    if faults:
        raise CatalogError(faults)
    return draft


def _kind(value: object, draft: Draft) -> dict[str, str] | None:
    """Return the dictionary for a kind of file; `None` for a destination. Unreadable files count as presets."""
    keys = value.keys() if isinstance(value, Mapping) else ()
    if "ad_account_id" in keys:
        return None
    return draft.sources if "proofs" in keys else draft.mappings if "fields" in keys else draft.presets
