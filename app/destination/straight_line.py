"""Read the fields of one layout in a straight line, where there is nothing to say about any of them.

The readers of objects go from member to member and look each up in their tables, which takes longer than to read it. A
mapping knows which members it can give (`Layout`), so for each layout a function is written that asks the same readers
in the same order without looking anything up. As soon as one refuses a value or has anything to say, the function gives
up, and the event is read by the readers of objects, which know the rest.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from app.destination.custom_data import CONTENT_READERS, CustomDataReader, read_all_but_money
from app.destination.free_texts import FreeTextReader
from app.destination.members import MembersReader, ObjectReader
from app.destination.money import plain_money
from app.destination.normalise import MAX_LENGTH
from app.destination.people import blocks_of
from app.destination.reading import Reader, text_of
from app.destination.required import RequiredReader
from app.destination.user_data import FROM_BLOCKS, UserDataReader, country_among, missing_identifiers
from app.values.amounts import currencies
from app.values.candidates import Fields, Layout, Members
from app.values.generated_functions import FunctionNames

#: The event as far as it was read, without the rules that look at more than one field; None where it gave up.
ReadEvent: TypeAlias = Callable[[Fields], dict[str, Any] | None]

_MAX_LAYOUTS: Final = 4_096


def _give_up(_: Fields) -> None:
    """Stand for a layout that has what the readers would speak of."""


class StraightLine:
    """Reads the fields of one event after the other, under one set of rules."""

    def __init__(self, required: RequiredReader, user_data: UserDataReader, optional: MembersReader) -> None:
        """Take those whose work it does."""
        self._required = required
        self._user_data = user_data
        self._optional = optional
        self._by_layout: dict[Layout, ReadEvent] = {}
        #: Most presets have one layout in common, and what they share is the quicker for it.
        self._by_members: dict[Members, ReadEvent] = {}

    def __call__(self, fields: Fields) -> dict[str, Any] | None:
        """Return the event as far as it was read; None where it must be read the plain way."""
        layout = fields.layout
        if layout is None or fields.passed_over:
            return None
        return (self._by_layout.get(layout) or self._learn(layout))(fields)

    def _learn(self, layout: Layout) -> ReadEvent:
        if len(self._by_layout) >= _MAX_LAYOUTS:
            self._by_layout.clear()
            self._by_members.clear()
        read = self._by_members.get(layout.members) or self._written(layout.members)
        self._by_layout[layout] = self._by_members[layout.members] = read
        return read

    def _written(self, members: Members) -> ReadEvent:
        text = _Text("fields")
        try:
            self._write(text, members)
        except _Unspeakable:
            return _give_up
        return text.compiled()

    def _write(self, text: "_Text", members: Members) -> None:
        text.add("event = {}")
        for name, read in self._required.readers.items():
            text.add(f"value = fields.get({name!r})", "if value is None or value == '': return None")
            text.add(f"value, notes = {text.bound(read)}(value)", "if notes: return None", f"event[{name!r}] = value")
        inner = dict(members)
        if "person_blocks" in inner:
            arguments = f"fields['user_data'], fields.candidates, {text.bound(blocks_of)}(fields.get('person_blocks'))"
            text.add("if 'person_blocks' in fields:")
            text.add(f" people, notes = {text.bound(self._user_data)}({arguments})", " if notes: return None", "else:")
            text.indent += " "
            self._write_user_data(text, inner.get("user_data"))
            text.indent = text.indent[:-1]
        else:
            self._write_user_data(text, inner.get("user_data"))
        text.add(f"if {text.bound(missing_identifiers)}(people or {{}}): return None", "event['user_data'] = people")
        _write_members(text, self._optional, members, "fields", "event")
        text.add("return event")

    def _write_user_data(self, text: "_Text", members: Members | None) -> None:
        if members is None:
            raise _Unspeakable
        names = [name for name, _ in members if name != FROM_BLOCKS]
        country = "None"
        text.add("given = fields['user_data']", "people = {}")
        if "country" in names:
            country = "country"
            text.add(f"country = {text.bound(country_among)}(given.get('country'), fields.candidates)")
        for name in names:
            field = self._user_data.fields.get(name)
            if field is None:
                raise _Unspeakable
            text.add(
                f"if {name!r} in given:",
                f" value = given[{name!r}]",
                f" if value.__class__ is str and 0 < len(value) <= {MAX_LENGTH}:",
                f"  if not value.isascii(): value = {text.bound(text_of)}(value)",
                f"  value, note = {text.bound(field.remembered)}(value, {country})",
                "  if note or value is None: return None",
                f"  people[{field.wire!r}] = {'[value]' if field.several else 'value'}",
                " elif value is not None and value != '': return None",
            )


def _write_members(text: "_Text", reader: MembersReader, members: Members, given: str, sent: str) -> None:
    """Write the reading of an object's members as `reader` does it."""
    for name, inner in members:
        if name in reader.elsewhere:
            continue
        read = reader.readers.get(name)
        if read is None:
            raise _Unspeakable
        if isinstance(read, MembersReader) and inner is not None:
            inner_given, inner_sent = text.new("v"), text.new("v")
            text.add(f"{inner_given} = {given}[{name!r}]", f"{inner_sent} = {{}}")
            _write_members(text, read, inner, inner_given, inner_sent)
            text.add(f"if {inner_sent}: {sent}[{name!r}] = {inner_sent}")
        elif isinstance(read, CustomDataReader) and inner is not None:
            straight = text.bound(_custom_data(inner))
            text.add(f"value = {straight}({given}[{name!r}])")
            text.add("if value is None:")
            text.add(
                f" value, notes = {text.bound(read)}({given}[{name!r}], fields.candidates)", " if notes: return None"
            )
            text.add(f"if value: {sent}[{name!r}] = value")
        else:
            _write_member(text, read, name, given, sent)


def _write_member(text: "_Text", read: Reader, name: str, given: str, sent: str) -> None:
    text.add(f"if {name!r} in {given}:", f" value = {given}[{name!r}]")
    if isinstance(read, FreeTextReader):  # what it knows it would send as it is
        text.add(
            f" if value.__class__ is str and value in {text.bound(read.known)}: {sent}[{name!r}] = value", " else:"
        )
        text.indent += " "
    arguments = "value, fields.candidates" if isinstance(read, ObjectReader) else "value"
    text.add(
        " if value is not None and value != '':",
        f"  value, notes = {text.bound(read)}({arguments})",
        "  if notes: return None",
        f"  if value is not None: {sent}[{name!r}] = value",
    )
    if isinstance(read, FreeTextReader):
        text.indent = text.indent[:-1]


def _custom_data(members: Members) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    """Return a function that reads `custom_data` of plain amounts, and returns None where any needs a second look."""
    text = _Text("given")
    names = {name for name, _ in members}
    text.add("sent = {}")
    _write_members(text, read_all_but_money, members, "given", "sent")
    if "value" in names:
        _write_amount(text, "value", "given", "sent")
    if "currency" in names:
        text.add("if 'currency' in given:", " value = given['currency']")
        text.add(f" if value.__class__ is not str or value not in {text.bound(currencies())}: return None")
        text.add(" sent['currency'] = value")
    if "contents" in names:
        text.add(
            "if 'contents' in given:", " if given['contents'].__class__ is not list: return None", " contents = []"
        )
        text.add(" for item in given['contents']:", "  if item.__class__ is not dict: return None", "  content = {}")
        text.indent += "  "
        for name, read in CONTENT_READERS.items():
            if name == "quantity":  # in the order of the default mapping
                _write_amount(text, "item_price", "item", "content")
            _write_member(text, read, name, "item", "content")
        text.add("if not item or len(content) != len(item): return None", "contents.append(content)")
        text.indent = text.indent[:-2]
        text.add(" if not contents: return None", " sent['contents'] = contents")
    if "predicted_ltv" in names:
        _write_amount(text, "predicted_ltv", "given", "sent")
    text.add("return sent")
    return text.compiled()


def _write_amount(text: "_Text", name: str, given: str, sent: str) -> None:
    text.add(f"if {name!r} in {given}:", f" value = {text.bound(plain_money)}({given}[{name!r}])")
    text.add(" if value is None: return None", f" {sent}[{name!r}] = value")


class _Unspeakable(Exception):
    """A layout has what no straight line is written for."""


class _Text(FunctionNames):
    """The text of a function in the making."""

    def __init__(self, parameter: str) -> None:
        super().__init__()
        self._parameter = parameter
        self._lines: list[str] = []
        #: Of what is added.
        self.indent = " "

    def add(self, *lines: str) -> None:
        """Add statements."""
        self._lines += [self.indent + line for line in lines]

    def compiled(self) -> Callable[[Any], dict[str, Any] | None]:
        """Return the function."""
        return self.function(self._parameter, self._lines)
