"""Read the fields of an event in a straight line, as a mapping finds them, where there is nothing to say about any.

The readers of objects go from member to member and look each up in their tables, which takes longer than to read it;
and what they read, a mapping has just put together. So each mapping has a function that asks for a field and hands it
to its reader at once: the mapping writes how it is found, and what is here writes how it is read, by the same readers.
As soon as one refuses a value or has anything to say, the function gives up (returns None), and the event is resolved
and read by the readers of objects, which know the rest.
"""

from collections.abc import Iterable
from typing import Any, Final

from app.core.values.candidates import one_place_only
from app.core.values.generated_functions import FunctionNames, ObjectText
from app.destination.app_and_device import read_language
from app.destination.custom_data import CustomDataReader
from app.destination.members import MembersReader
from app.destination.person_sections import blocks_of, phones_beside
from app.destination.required_fields import RequiredReader
from app.destination.straight_objects import CustomDataText, MembersText, UserDataText, put_at_once, read_at_once
from app.destination.user_data import UserDataReader, missing_identifiers

#: Read in this order, behind what every event must have and in front of all else.
_WHO: Final = ("person_blocks", "user_data")


class StraightLine:
    """Writes how the fields of the action are read, under one set of rules.

    The function returns None where it gave up. Else it returns the event as far as it was read, without the rules that
    look at more than one field; the phone numbers as they were given; and whether those rules need the other fields as
    they were given.
    """

    def __init__(
        self,
        required: RequiredReader,
        user_data: UserDataReader,
        optional: MembersReader,
        *,
        action_source: str | None = None,
    ) -> None:
        """Take those whose work it does; `action_source` replaces what the mapping says."""
        self.required = required
        self.user_data = user_data
        self.optional = optional
        self.action_source = action_source

    def __call__(self, text: FunctionNames) -> ObjectText:
        """Return what writes the reading of the fields into a function."""
        return _EventText(self, text)


class _EventText(ObjectText):
    """Writes how the event itself is read."""

    result = "sent, phone, needs_fields or (is_computed and sent['event_name'] == 'checkout')"

    def __init__(self, readers: StraightLine, text: FunctionNames) -> None:
        self._readers = readers
        self._required = readers.required.readers
        self._optional = readers.optional.readers
        self._text = text
        self._has_blocks = False
        #: Required fields that are there for certain.
        self._certain: set[str] = set()

    def ordered(self, names: Iterable[str]) -> Iterable[str]:
        """Return the members in the order in which they are sent."""
        known = list(names)
        self._has_blocks = "person_blocks" in known
        first = [name for name in (*self._required, *_WHO) if name in known]
        return [*first, *(name for name in known if name not in first)]

    def begin(self) -> list[str]:
        """Write the variables of the function, as they are for most events."""
        return [" sent = {}", " phone = blocks = None", " needs_fields = is_computed = False"]

    def inner(self, name: str) -> ObjectText | None:
        """Return what writes an object that is read member by member; None for any other."""
        read = self._optional.get(name)
        if name == "user_data":
            return UserDataText(self._readers.user_data, self._text, blocks=self._has_blocks)
        if isinstance(read, CustomDataReader):
            return CustomDataText(read, self._text)
        return MembersText(read, self._text, f"sent[{name!r}]") if isinstance(read, MembersReader) else None

    def constant(self, name: str, value: Any) -> list[str]:
        """Write a field that is the same in each event: what is required is read here and now."""
        if name not in self._required:
            return self.member(name, f"({self._text.bound(value)})")  # in brackets: nobody may assign to it
        self._certain.add(name)
        return self._once(name, value)

    def _once(self, name: str, given: Any) -> list[str]:
        if name == "action_source" and self._readers.action_source is not None:
            given = self._readers.action_source
        value, notes = (None, ()) if given is None or given == "" else self._required[name](given)
        return [" return None"] if notes or value is None else [f" sent[{name!r}] = {self._text.bound(value)}"]

    def member(self, name: str, given: str) -> list[str]:
        """Write how a field is read."""
        if name == "person_blocks":
            return [f" blocks = {given}"]
        if name == "gpc":
            return [" needs_fields = True"]
        if name == "user_data":
            bound = self._text.bound
            read = f"{bound(self._readers.user_data)}({given}, {bound(one_place_only)}, {bound(blocks_of)}(blocks))"
            return [
                f" people, notes = {read}",
                f" if notes or {bound(missing_identifiers)}(people or {{}}): return None",
                f" phone = {bound(phones_beside)}({given}.get('phone'), blocks)",
                " sent['user_data'] = people",
            ]
        if name == "action_source" and self._readers.action_source is not None:
            return self._once(name, None)
        if name in self._required:
            return read_at_once(self._text, self._required[name], name, given, "sent")
        reader = self._optional.get(name)
        lines = self._language(given) if name == "language" else read_at_once(self._text, reader, name, given, "sent")
        return [*lines, " needs_fields = True"] if name == "custom_data" else lines

    def _language(self, given: str) -> list[str]:
        """Write how the language is read; whether a note is due is asked at the end, where the locale is known."""
        return [
            f" language = {given}",
            " if language is not None and language != '':",
            f"  sent['language'] = {self._text.bound(read_language)}(language)[0]",
            "  if sent['language'] is None: return None",
        ]

    def at_once(self, name: str, value: str) -> list[str]:
        """Write how a text is put in that is sent as it is."""
        return put_at_once(self._text, self._optional.get(name), name, value, "sent")

    def end(self) -> list[str]:
        """Write the question whether all is there that an event needs."""
        needed = [name for name in (*self._required, "user_data") if name not in self._certain]
        is_changed = "'language' in sent and sent['language'] != language"
        is_whole = "sent.get('device_info', {}).get('locale') == language"
        return [
            f" if {' or '.join(f'{name!r} not in sent' for name in needed)}: return None",
            f" if {is_changed} and not {is_whole}: return None",
        ]
