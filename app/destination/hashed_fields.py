"""The steps from a person's data to its digest, for people who examine an event that they pasted."""

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
    """A field of `user_data` that is hashed.

    Personal data: show it only to the person who pasted it, and do not store it.
    """

    #: The normalised text before hashing; several texts are joined by a comma.
    form: str
    #: For a field from a block of the event: the path, such as `context.traits.address.city`; otherwise "".
    place: str
    #: The given value at that path; `None` without a path.
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
    """Return the sent form of a text at a path of the finished event, such as `user_data.em`; `None`: not sent.

    At other paths the text is hashed too.
    """
    for field in UserDataReader(rules).fields.values():
        if path.split(".")[:2] == ["user_data", field.wire]:
            return field.way(text, None)[0]
    return hashed(text)


def _places(blocks: list[PersonBlock], field: str, texts: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield the places of a field's texts in the blocks, including whole names for a part of a name."""
    for block in blocks:
        for key, value in block.values.get(field, ()):
            if texts & set(map(text_of, flattened(value))):
                yield f"{block.place}.{key}", value
        for key, value in block.values.get("name", ()) if field in HALVES else ():
            if isinstance(value, str) and any(text in value for text in texts):
                yield f"{block.place}.{key}", value
