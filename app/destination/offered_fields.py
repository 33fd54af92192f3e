"""The fields that the action offers, from the tables of their readers."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Self

from app.destination.conversion_event import FIELD_READERS
from app.destination.members import ObjectReader
from app.destination.money import IntegerReader
from app.destination.privacy_flags import read_opt_out, read_permission
from app.destination.reading import ChoiceReader, Reader, read_boolean
from app.destination.redaction import ListReader
from app.destination.user_data import ReadField

_FLAGS = (read_boolean, read_opt_out, read_permission)


class OfferedField(NamedTuple):
    """The accepted values of a field of the action."""

    #: Readers of numbers and times in texts have the type of a text.
    type: Literal["string", "integer", "boolean", "object"]
    #: The closed list of values; `None` if the field has no such list.
    choices: tuple[str, ...] | None
    #: A list is sent as a whole.
    multiple: bool
    #: Of an object, by name; otherwise empty.
    members: Mapping[str, "OfferedField"]

    @classmethod
    def of(cls, read: Reader) -> Self:
        """Describe the values that a reader accepts."""
        members = read.members if isinstance(read, ObjectReader) else {}
        kind: Literal["string", "integer", "boolean", "object"] = "string"
        if members:
            kind = "object"
        elif isinstance(read, IntegerReader):
            kind = "integer"
        elif read in _FLAGS:
            kind = "boolean"
        return cls(
            type=kind,
            choices=read.choices if isinstance(read, ChoiceReader) else None,
            multiple=isinstance(read, ListReader) or (isinstance(read, ReadField) and read.several),
            members={name: cls.of(inner) for name, inner in members.items()},
        )


#: By name.
OFFERED_FIELDS: Mapping[str, OfferedField] = {name: OfferedField.of(read) for name, read in FIELD_READERS.items()}
