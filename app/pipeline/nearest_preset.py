"""Find the preset that matches a kind of event, or the nearest one with the difference."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final, NamedTuple

from app.catalog import Catalog, Preset
from app.core.events import EventKey
from app.core.values.event_names import RECORD, named_by

#: The minimum similarity of names for a suggestion.
_LIKE: Final = 0.75
#: Longer names are not compared: no preset has such a name, and a comparison takes quadratic time.
MAX_COMPARED_CHARACTERS: Final = 200
#: Names with a higher similarity are considered equal.
_SURE: Final = 0.95
#: Names in other systems for Segment's names, as sorted words. Sources: the e-commerce events of GA4, Shopify and Meta.
_ALSO_CALLED: Final[Mapping[str, tuple[str, ...]]] = {
    "Order Completed": ("purchase", "order placed", "order paid", "transaction", "checkout completed", "order created"),
    "Checkout Started": ("begin checkout", "initiate checkout", "checkout initiated", "start checkout"),
    "Product Added": ("add to cart", "added to cart", "cart add", "item added"),
    "Product Viewed": ("view item", "view content", "view product", "product view"),
    "Product List Viewed": ("view item list", "collection viewed"),
    "Products Searched": ("search", "site search", "search submitted"),
    "Signed Up": ("sign up", "registration", "complete registration", "register", "account created"),
    "Generate Lead": ("lead", "form submitted", "contact"),
    "Product Added to Wishlist": ("add to wishlist",),
    "Payment Info Entered": ("add payment info",),
}
_OF_PEOPLE: Final = frozenset({"identify", "group", "alias"})
_OF_OTHERS: Final = "It counts events that have no row here."
_NO_EVENT_OF_IT: Final = "Nothing under `events` in the file of its source takes it, so it becomes no event."
_NOT_YET: Final = "A preset takes it now, but none took any of these events when they came."


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The nearest preset, and the difference."""

    #: The preset, or `None`.
    preset: str | None
    #: Whether the preset's trigger contains this event name: another condition may fail.
    is_named: bool
    #: Why it does not match, as a sentence; "" for a matching preset.
    why: str


def nearest_preset(key: EventKey, taken_by: Iterable[str], catalog: Catalog) -> Nearest:
    """Return the preset that has matched such events (`taken_by`), or the nearest one with the difference."""
    presets = {preset.name: preset for preset in catalog.presets}
    taken = next((name for name in taken_by if name in presets), None)
    if taken is not None:
        return Nearest(preset=taken, is_named=True, why="")
    if key.type in ("", RECORD):
        return Nearest(preset=None, is_named=False, why=_NO_EVENT_OF_IT if key.type else _OF_OTHERS)
    named = [preset for preset in catalog.presets if _names(preset, key)]
    if named:
        return _asks_more(key, next((preset for preset in named if preset.enabled), named[0]))
    if key.type in _OF_PEOPLE:
        why = f"`{key.type}` says who somebody is: it is no conversion. With memory it completes later events."
        return Nearest(preset=None, is_named=False, why=why)
    near = _like(key, catalog.presets) if len(key.name) <= MAX_COMPARED_CHARACTERS else []
    found = max(near, default=None, key=lambda one: one[0])
    if found is None:
        return Nearest(preset=None, is_named=False, why="No preset asks for a name like it.")
    _, preset, why = found
    return Nearest(preset=preset.name, is_named=False, why=why)


def _names(preset: Preset, key: EventKey) -> bool:
    """Return whether a preset's trigger requires this type, and this event name if it requires a name."""
    trigger = preset.trigger
    if trigger.types is not None and key.type not in trigger.types:
        return False
    return key.name in trigger.events if trigger.events is not None else trigger.types is not None


def _asks_more(key: EventKey, preset: Preset) -> Nearest:
    if not preset.enabled:
        why = f"{preset.name} would take it, but `enabled: false` in its file takes it out."
        return Nearest(preset=preset.name, is_named=True, why=why)
    bare = {"type": key.type, named_by(key.type) or "name": key.name}
    more = ", ".join(f"`{part.text}`" for part in preset.trigger.explain(bare).blamed())
    asked = "type" if preset.trigger.events is None else "name"
    why = f"{preset.name} asks for this {asked} and more, which did not hold: {more}." if more else _NOT_YET
    return Nearest(preset=preset.name, is_named=True, why=why)


def _like(key: EventKey, presets: Iterable[Preset]) -> list[tuple[tuple[bool, float], Preset, str]]:
    """Return the presets with a similar event name, each with its rank and the difference; the highest is nearest.

    An enabled preset with an almost equal name comes first.
    """
    found = []
    for preset in presets:
        for event in sorted(preset.trigger.events or ()):
            likeness, difference = _difference(key, event, preset)
            if likeness >= _LIKE:
                tail = "" if preset.enabled else " And `enabled: false` in its file takes it out."
                why = f"{preset.name} takes events named `{event}`: {difference}.{tail}"
                found.append(((preset.enabled and likeness > _SURE, likeness), preset, why))
    return found


def _difference(key: EventKey, event: str, preset: Preset) -> tuple[float, str]:
    """Return the similarity of a name to the event of a preset, from 0 to 1, and the difference in words."""
    name = key.name
    if name == event:
        types = " or ".join(f"`{each}`" for each in sorted(preset.trigger.types or ()))
        return 1.0, f"the name is right, but it came as `{key.type}` instead of {types}"
    ours, theirs = _spelling_of(name), _spelling_of(event)
    if name.casefold() == event.casefold():
        return 0.99, "it is the same name but for upper and lower case"
    if ours.joined == theirs.joined:
        return 0.98, "it is the same name but for spaces and marks between its words"
    if ours.sorted == theirs.sorted:
        return 0.97, "it has the same words in another order"
    if ours.spaced in _ALSO_CALLED.get(event, ()):
        return 0.96, "that is what Segment calls it"
    return min(_ratio(ours, theirs), _SURE), "the names are alike"


class _Spelling(NamedTuple):
    """The words of a name, in the forms for comparison."""

    joined: str
    spaced: str
    sorted: list[str]
    letters: Counter[str]


@lru_cache(maxsize=2_048)
def _spelling_of(name: str) -> _Spelling:
    words = words_of(name)
    spaced = " ".join(words)
    return _Spelling("".join(words), spaced, sorted(words), Counter(spaced))


def _ratio(ours: _Spelling, theirs: _Spelling) -> float:
    """Return the similarity of two names, from 0 to 1; 0 if their lengths or letters rule `_LIKE` out."""
    needed = _LIKE * (len(ours.spaced) + len(theirs.spaced)) / 2
    if min(len(ours.spaced), len(theirs.spaced)) < needed or (ours.letters & theirs.letters).total() < needed:
        return 0.0
    return SequenceMatcher(a=ours.spaced, b=theirs.spaced).ratio()


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case, regardless of their separators.

    >>> words_of("orderCompleted"), words_of("ORDER_COMPLETED"), words_of("XMLSent2")
    (['order', 'completed'], ['order', 'completed'], ['xml', 'sent', '2'])
    """
    words: list[str] = []
    before = ""
    for place, letter in enumerate(name):
        if letter.isalnum():
            begins_inside = before.isupper() and letter.isupper() and name[place + 1 : place + 2].islower()
            is_new = _kind(before) != _kind(letter) or (before.islower() and letter.isupper()) or begins_inside
            if is_new:
                words.append(letter)
            else:
                words[-1] += letter
        before = letter
    return [word.casefold() for word in words]


def _kind(letter: str) -> int:
    """Return 1 for a letter, 2 for a digit, 0 for separators."""
    return 1 if letter.isalpha() else 2 if letter.isalnum() else 0
