"""What becomes of a person's data on the way to its digest: for people who look at an event that they pasted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.config.settings import ConversionSettings
from app.core.fields import USER_FIELDS
from app.core.values.candidates import places_in
from app.destination.normalise import hashed
from app.destination.person_sections import HALVES, PersonBlock, blocks_of
from app.destination.reading import flattened, text_of
from app.destination.user_data import UserDataReader


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedField:
    """One field of `user_data` that is hashed. Personal data: show it to whoever gave it, keep it nowhere."""

    #: The readable form of what is hashed, several joined by a comma.
    form: str
    #: Of a field that stands in a block of the event: where, such as `context.traits.address.city`; "" of others.
    place: str
    #: What stands there, as given; None where there is no place.
    value: Any


def hashed_fields(fields: Mapping[str, Any], rules: ConversionSettings) -> dict[str, HashedField]:
    """Return, by the action's name, each field of `user_data` that is sent as digests.

    `fields` are those of the action, as a mapping resolved them.
    """
    forms: dict[str, str] = {}
    digests: dict[str, set[str]] = {}

    def note(given: str, form: str, digest: str) -> None:
        forms[digest] = form
        digests.setdefault(given, set()).add(digest)

    read = UserDataReader(rules, on_hashed=note)
    candidates = places_in(fields).candidates
    blocks = blocks_of(fields.get("person_blocks"))
    sent = read(fields.get("user_data"), candidates, blocks)[0] or {}
    found = {}
    for field in USER_FIELDS:
        if field.reading.hashed and (of_field := sent.get(field.wire)):
            texts = {text for text, known in digests.items() if known & set(of_field)}
            place, value = next(_places(blocks, field.name, texts), ("", None))
            form = ", ".join(forms[digest] for digest in of_field)
            found[field.name] = HashedField(form=form, place=place, value=value)
    return found


def sent_of_text(path: str, text: str, rules: ConversionSettings) -> str | None:
    """Return what is sent of one text at a path of the finished event, such as `user_data.em`; None: nothing.

    It is hashed at other paths too.
    """
    for field in UserDataReader(rules).fields.values():
        if path.split(".")[:2] == ["user_data", field.wire]:
            return field.way(text, None)[0]
    return hashed(text)


def _places(blocks: list[PersonBlock], field: str, texts: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield where the blocks have one of the texts for a field, a whole name for a part of it too."""
    for block in blocks:
        for key, value in block.values.get(field, ()):
            if texts & set(map(text_of, flattened(value))):
                yield f"{block.place}.{key}", value
        for key, value in block.values.get("name", ()) if field in HALVES else ():
            if isinstance(value, str) and any(text in value for text in texts):
                yield f"{block.place}.{key}", value
