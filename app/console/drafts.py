"""Drafts of presets: each operator has a draft for each file, stored until it is published or discarded."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path as FilePath
from typing import Any, Final, Literal

from app.access.users import Person
from app.catalog.catalog import RunningCatalog
from app.catalog.document import Path, YamlDocument, changed_nodes, read_document
from app.core.shared_values import PRESET_DRAFTS, DraftStep, PresetDraft, SharedKey, SharedValues
from app.errors import EditRefused
from app.mapping import MISSING

_MAX_STEPS: Final = 60
_MAX_CHARACTERS: Final = 1_000_000
#: How often a change is repeated if another window stores the draft at the same time.
_MAX_TRIES: Final = 5
_NEW: Final = """name: New preset
subscribe: type = "track"
action: report_conversion_event
mapping:
  event_name: custom
"""


def begun(file: str, text: str) -> PresetDraft:
    """Return a draft without changes."""
    return PresetDraft(file=file, steps=[DraftStep(done="", text=text)], at=0)


def changed(draft: PresetDraft, text: str, done: str, *, same_step: bool = False) -> PresetDraft:
    """Return the draft with another text. Undone steps are dropped, and the oldest steps above a limit.

    With `same_step` the text replaces the current step if it has the same label, because more of a field was typed.
    """
    if text == draft.now.text:
        return draft
    at = draft.at - 1 if same_step and draft.at and draft.now.done == done else draft.at
    first, *steps = [*draft.steps[: at + 1], DraftStep(done=done, text=text)]
    while len(steps) > _MAX_STEPS or (steps[1:] and sum(len(each.text) for each in steps) > _MAX_CHARACTERS):
        del steps[0]
    steps.insert(0, first)
    return replace(draft, steps=steps, at=len(steps) - 1)


def moved(draft: PresetDraft, by: Literal[-1, 1]) -> PresetDraft:
    """Return the draft a step back or forward; the same draft at an end."""
    return replace(draft, at=min(max(draft.at + by, 0), len(draft.steps) - 1))


def rebased(draft: PresetDraft, live: str) -> PresetDraft:
    """Return the draft on top of a text that was published since the draft began.

    A node that only the publish changed has the published value. A node that both changed has the value of the draft.
    """
    base = draft.steps[0].text
    steps = [replace(step, text=_merged(base, step.text, live)) for step in draft.steps[1:]]
    return replace(draft, steps=[replace(draft.steps[0], text=live), *steps], begun_from=draft.begun_from or base)


@lru_cache(maxsize=256)
def _merged(base: str, own: str, live: str) -> str:
    """Return the own text with the nodes that differ between `base` and `live`, unless `own` changed them too."""
    try:
        document, was, theirs = YamlDocument(own), YamlDocument(base).value, YamlDocument(live).value
        changed_here = [path for path, *_ in changed_nodes(was, document.value)]
        for path, _, value in changed_nodes(was, theirs):
            if not any(_overlap(path, other) for other in changed_here):
                document = _with_node(document, path, value)
    except EditRefused:  # the text cannot be merged: `both_changed` returns the nodes of the publish
        return own
    return document.text


def _with_node(document: YamlDocument, path: Path, value: Any) -> YamlDocument:
    return document.without(path) if value is MISSING else document.with_value(path, value)


def _overlap(one: Path, other: Path) -> bool:
    common = min(len(one), len(other))
    return one[:common] == other[:common]


@dataclass(frozen=True, slots=True, kw_only=True)
class BothChanged:
    """A node that the draft and a publish changed to different values; MISSING if a text does not have the node."""

    path: Path
    own: Any
    published: Any


def both_changed(draft: PresetDraft) -> list[BothChanged]:
    """Return the nodes of a rebased draft that a publish changed too."""
    if not draft.begun_from:
        return []
    try:
        texts = (draft.begun_from, draft.steps[0].text, draft.now.text)
        began, live, own = (YamlDocument(text).value for text in texts)
    except EditRefused:
        return []
    published = [path for path, *_ in changed_nodes(began, live)]
    return [
        BothChanged(path=path, own=mine, published=theirs)
        for path, mine, theirs in changed_nodes(own, live)
        if any(_overlap(path, other) for other in published)
    ]


def with_published(draft: PresetDraft, path: Path) -> str:
    """Return the text of the draft with the published value of a node. Raises EditRefused."""
    found = next((each for each in both_changed(draft) if each.path == path), None)
    if found is None:
        raise EditRefused((), "this field has the published value already")
    return _with_node(read_document(draft.now.text), found.path, found.published).text


class Drafts:
    """Reads and stores drafts. Every method may raise OutboxUnavailable."""

    def __init__(self, shared: SharedValues, running: RunningCatalog) -> None:
        self._shared = shared
        self._running = running

    async def read(self, person: Person, file: str) -> PresetDraft:
        """Return the draft of a person, on top of the text that is live."""
        return self._current(await self._key(person, file).read(self._shared), file)

    async def change(
        self, person: Person, file: str, edit: Callable[[PresetDraft], Awaitable[PresetDraft]]
    ) -> PresetDraft:
        """Store the draft after an edit. If another window stores the draft meanwhile, the edit is repeated on it.

        Raises EditRefused, and each error of `edit`.
        """
        key = self._key(person, file)
        for _ in range(_MAX_TRIES):
            stored = await key.read_revised(self._shared)
            draft = await edit(self._current(stored.value, file))
            if await key.write(self._shared, draft, revision=stored.revision) is not None:
                return draft
        raise EditRefused((), "other windows change this draft all the time: try again")

    async def begin(self, person: Person, file: str, text: str) -> None:
        """Store a new draft for a new file, unless a draft or the file exists."""
        key = self._key(person, file)
        if file not in self._running.preset_texts and await key.read(self._shared) is None:
            await key.write(self._shared, begun(file, text))

    def new(self, file: str) -> PresetDraft:
        """Return a draft without changes."""
        return begun(file, self._running.preset_texts.get(file) or _NEW)

    def _key(self, person: Person, file: str) -> SharedKey[PresetDraft]:
        """Return the key of a draft. The name of the file is the preset's identity: publishing changes the folder."""
        name = f"{person.name}\0{FilePath(file).name}"
        return PRESET_DRAFTS.of(sha256(name.encode()).hexdigest()[:32])

    def _current(self, draft: PresetDraft | None, file: str) -> PresetDraft:
        live = self._running.preset_texts.get(file)
        is_published = draft is not None and draft.now.text == live != draft.steps[0].text
        if draft is None or is_published or (live is not None and len(draft.steps) == 1):
            return self.new(file)
        draft = replace(draft, file=file)
        return draft if live in (None, draft.steps[0].text) else rebased(draft, live or "")
