"""Generate code that reads the fields of the action when a mapping finds them.

The readers of objects iterate over the members and look up each in their tables, which is slower than the reading
itself; and the mapping has just created these objects. So each mapping has a function that finds a field and reads it
immediately: the mapping writes the code that finds the field, and this module writes the code that reads it. Generated
code reads the usual values; for other values it calls the reader of the object, which has the remaining rules and the
notes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from msgspec import Struct

from app.core.values.candidates import Places
from app.core.values.generated_functions import FunctionNames, ObjectText, indented
from app.destination.app_and_device import MAX_LOCALE, read_language, read_locale
from app.destination.custom_data import MONEY, CustomDataReader, read_all_but_money
from app.destination.members import IS_GIVEN, MembersReader
from app.destination.person_sections import blocks_of
from app.destination.required_fields import MISSING_FIELD, REQUIRED, RequiredReader
from app.destination.user_data import BY_COUNTRY, FROM_BLOCKS, PIN_UNAUTH, UserDataReader, country_among
from app.destination.warnings import left_out, unknown_members

#: Read in this order, after the required fields and before all others.
_WHO: Final = ("person_blocks", "user_data")


class ReadEvent(Struct, frozen=True, gc=False):
    """An event whose fields are read one by one, with the inputs of the rules about several fields."""

    #: The event; `None` for a required field that is unreadable.
    sent: dict[str, Any]
    faults: list[str]
    #: Warnings about the required fields, about `user_data`, and about all others; the last two by their path.
    warnings: list[str]
    about_user: list[str]
    notes: list[str]
    #: As given: of `custom_data` the amounts and their currency, of `user_data` the place and the phone.
    custom_data: dict[str, Any]
    user_data: dict[str, Any]
    blocks: Any
    gpc: Any
    pin_unauth: Any


@dataclass(frozen=True, slots=True, eq=False)
class EventReaders:
    """The readers for the parts of an event, under a set of rules."""

    required: RequiredReader
    user_data: UserDataReader
    optional: MembersReader
    #: Overrides the mapping.
    action_source: str | None
    #: Raises EventInvalid if a checkout is a refund, according to the given `custom_data`.
    refuse_refund: Callable[[dict[str, Any], Places], None]

    def __call__(self, text: FunctionNames) -> ObjectText:
        """Return the emitter of code that reads the fields into a ReadEvent."""
        return _EventText(self, text)


class _MembersText(ObjectText):
    """Writes code that reads an object as `MembersReader` does."""

    needs_members = True
    #: Members that other code reads.
    elsewhere: frozenset[str] = frozenset()

    def __init__(self, read: MembersReader, text: FunctionNames, name: str) -> None:
        """Write to the function `text`; a non-empty object is stored in `sent[name]`."""
        self._read = read
        self._text = text
        self._name = name
        self.result, self._notes, self._unknown = text.new("w"), text.new("n"), text.new("u")
        self._has_unknown = False

    def ordered(self, names: Iterable[str]) -> Iterable[str]:
        """Return the members unchanged."""
        known = list(names)
        self._has_unknown = any(name not in self.elsewhere and name not in self._read.readers for name in known)
        return known

    def begin(self) -> list[str]:
        """Return the statement that creates an empty object."""
        return [f" {self.result}, {self._notes} = {{}}, []", *self._none_unknown()]

    def _none_unknown(self) -> list[str]:
        return [f" {self._unknown} = []"] if self._has_unknown else []

    def inner(self, name: str) -> ObjectText | None:  # noqa: ARG002 - as all are asked
        """Return `None`: an object in this object has a separate reader."""
        return None

    def constant(self, name: str, value: Any) -> list[str]:
        """Return the code that reads a constant member: the same code as for others, because a reader may reject it."""
        return self.member(name, self._text.bound(value))

    def member(self, name: str, given: str) -> list[str]:
        """Return the code that reads a member."""
        return [f" value = {given}", *self._reading(name)]

    def _reading(self, name: str) -> list[str]:
        """Return the code that reads `value`: the usual values without a call of the reader."""
        if name in self._read.readers:
            return self._read.reading(self._text, name, self.result, self._notes)
        return [f" if {IS_GIVEN}: {self._unknown}.append({name!r})"]

    def _say_unknown(self) -> list[str]:
        """Return the code that warns of unknown members."""
        told = f"{self._notes}.append({self._text.seldom(unknown_members)}({self._unknown}))"
        return [f" if {self._unknown}: {told}"] if self._has_unknown else []

    def end(self) -> list[str]:
        """Return the code that stores the object."""
        about = f"[f'.{self._name}{{note}}' for note in {self._notes}]"
        return [
            *self._say_unknown(),
            f" if {self.result}: sent[{self._name!r}] = {self.result}",
            f" if {self._notes}: notes += {about}",
        ]


class _EventText(_MembersText):
    """Writes code that reads the event itself."""

    needs_members = False
    elsewhere = frozenset((*REQUIRED, *_WHO, "gpc", "advertiser_tracking_enabled", PIN_UNAUTH))

    def __init__(self, readers: EventReaders, text: FunctionNames) -> None:
        super().__init__(readers.optional, text, "")
        self._readers = readers
        self.result, self._notes = "sent", "notes"
        members = "sent, faults, warnings, about_user, notes, custom, who, blocks, gpc, pin_unauth"
        self._made = f"{text.bound(ReadEvent)}({members})"

    def ordered(self, names: Iterable[str]) -> Iterable[str]:
        """Return the members in the order in which they are sent, with all required members."""
        known = [name for name in super().ordered(names) if name != "advertiser_tracking_enabled"]  # never sent
        self._has_blocks = "person_blocks" in known
        first = [*REQUIRED, *(["person_blocks"] if self._has_blocks else []), "user_data"]
        return [*first, *(name for name in known if name not in first)]

    def begin(self) -> list[str]:
        """Return the initial variables of the function, with the values of most events."""
        nothing = ", ".join(f"{name!r}: None" for name in (*REQUIRED, "user_data"))
        return [
            " candidates = places.candidates",
            f" sent = {{{nothing}}}",
            " faults, warnings, about_user, notes = [], [], [], []",
            " blocks = gpc = pin_unauth = language = spelled = None",
            " people, custom, who = (), EMPTY, EMPTY",
            *self._none_unknown(),
        ]

    def inner(self, name: str) -> ObjectText | None:
        """Return the emitter of an object that is read member by member; `None` for any other."""
        read = self._read.readers.get(name)
        if name == "user_data":
            return _UserDataText(self._readers.user_data, self._text, blocks=self._has_blocks)
        if isinstance(read, CustomDataReader):
            return _CustomDataText(read, self._text, self._refusing())
        return _MembersText(read, self._text, name) if isinstance(read, MembersReader) else None

    def constant(self, name: str, value: Any) -> list[str]:
        """Return the code for a constant field; a required field is read at generation time."""
        if name not in REQUIRED:
            return super().constant(name, value)
        if name == "action_source" and self._readers.action_source is not None:
            value = self._readers.action_source
        read, about = self._readers.required.read(name, value)
        bound = self._text.bound(value if about else read)
        return self._required(name, bound) if about else [f" sent[{name!r}] = {bound}"]

    def absent(self, name: str) -> list[str]:
        """Return the code for a required field that is absent."""
        if name == "action_source" and self._readers.action_source is not None:
            return self.constant(name, None)
        if name in REQUIRED:
            return self._required(name, "None")
        about = self._text.seldom(left_out(None, "an object is expected"))
        return [f" about_user.append({about})"] if name == "user_data" else []

    def member(self, name: str, given: str) -> list[str]:
        """Return the code that reads a field."""
        bound = self._text.bound
        if name == "person_blocks":
            return [f" blocks = {given}", f" people = {bound(blocks_of)}(blocks)"]
        if name in ("gpc", PIN_UNAUTH):
            return [f" {name} = {given}"]
        if name == "user_data":
            return [
                f" value = {given}",
                " if value.__class__ is dict: who = value",
                f" sent['user_data'], about_user = {bound(self._readers.user_data)}(value, candidates, people)",
            ]
        if name == "action_source" and self._readers.action_source is not None:
            return self.constant(name, None)
        if name in REQUIRED:
            return self._required(name, given)
        lines = [f" value = {given}", *(self._language() if name == "language" else self._reading(name))]
        is_custom_data = isinstance(self._read.readers.get(name), CustomDataReader)
        if is_custom_data:
            lines[1:1] = [" if value.__class__ is dict: custom = value", *self._refusing()]
        return lines

    def _refusing(self) -> list[str]:
        """Return the code that rejects a checkout with a refund."""
        refuse = self._text.seldom(self._readers.refuse_refund)
        return [f" if sent['event_name'] == 'checkout': {refuse}(custom, places)"]

    def _required(self, name: str, given: str) -> list[str]:
        required, bound, seldom = self._readers.required, self._text.bound, self._text.seldom
        known = required.known.get(name)
        at_once = [f" if value.__class__ is str and value in {bound(known)}: about = ()"] if known else []
        settle = f"{seldom(required.settle)}({name!r}, value, about, sent, faults, warnings, candidates)"
        return [
            f" value = {given}",
            *at_once,
            f" {'elif' if known else 'if'} {IS_GIVEN}: value, about = {bound(required.readers[name])}(value)",
            f" else: value, about = None, {seldom(MISSING_FIELD)}",
            f" if about: {settle}",
            f" else: sent[{name!r}] = value",
        ]

    def _language(self) -> list[str]:
        """Return the code that reads the language.

        The end of the function decides about the note, when the locale is known.
        """
        bound, settle = self._text.bound, self._text.seldom(self._read.settle)
        return [
            f" if {IS_GIVEN}:",
            "  language = value",
            f"  is_short = value.__class__ is str and len(value) <= {MAX_LOCALE}",
            f"  value, about = {bound(read_locale)}(value) if is_short else {bound(read_language)}(value)",
            f"  if value is None: {settle}('language', value, about, sent, notes, candidates)",
            "  else:",
            "   sent['language'] = value",
            "   if about: spelled, place = about, len(notes)",
        ]

    def end(self) -> list[str]:
        """Return the note that a language was read from a locale, unless the locale is sent too."""
        is_whole = "sent.get('device_info', EMPTY).get('locale') == language"
        said = "notes[place:place] = [f'.language{note}' for note in spelled]"
        self.result = self._made
        return [*self._say_unknown(), f" if spelled and not {is_whole}: {said}"]


class _UserDataText(_MembersText):
    """Writes code that reads `user_data`, then the parts that depend on the blocks of the event, if any."""

    def __init__(self, read: UserDataReader, text: FunctionNames, *, blocks: bool) -> None:
        """Include the blocks if the event may have any."""
        super().__init__(MembersReader({}), text, "user_data")
        self._reader = read
        self._notes = "about_user"
        self._country = "None"
        self._blocks = blocks
        self.elsewhere = frozenset((FROM_BLOCKS, *read.fields))

    def ordered(self, names: Iterable[str]) -> Iterable[str]:
        """Return the country first, because other members depend on it."""
        known = [name for name in super().ordered(names) if self._blocks or name != FROM_BLOCKS]
        self._country = "country" if "country" in known else "None"
        return sorted(known, key=lambda name: name != "country")

    def begin(self) -> list[str]:
        """Return the statement that creates an empty object."""
        late = [" wanted, late = None, {}"] if self._blocks else []
        return [f" {self.result}, country, who = {{}}, None, {{}}", *late, *self._none_unknown()]

    def member(self, name: str, given: str) -> list[str]:
        """Return the code that reads a member."""
        if name == FROM_BLOCKS:
            return [f" wanted = {given}"]
        lines = [f" value = {given}"]
        if name in ("country", *BY_COUNTRY):
            lines.append(f" who[{name!r}] = value")
        if name == "country":
            lines.append(f" country = {self._text.seldom(country_among)}(value, candidates)")
        if self._blocks and name in BY_COUNTRY:
            return [*lines, f" if people: late[{name!r}] = value", " else:", *indented(self._reading(name))]
        return [*lines, *self._reading(name)]

    def _reading(self, name: str) -> list[str]:
        field = self._reader.fields.get(name)
        if field is None:
            return super()._reading(name)
        members = f"{name!r}, value, {self._country}, {self.result}, {self._notes}, candidates"
        known = f"(digest := {self._text.bound(field.known.get)}(value)) is not None"  # once: threads may forget it
        digest = "[digest]" if field.several else "digest"
        return [
            f" if value.__class__ is str and {known}: {self.result}[{field.wire!r}] = {digest}",
            f" elif {IS_GIVEN}: {self._text.seldom(self._reader.read)}({members})",
        ]

    def end(self) -> list[str]:
        """Return the code that stores the object."""
        complete = self._text.seldom(self._reader.complete)
        told = f"{complete}({self.result}, people, wanted, country, late, candidates)"
        by_blocks = [f" if people: {self._notes} += {told}"] if self._blocks else []
        return [
            *self._say_unknown(),
            *by_blocks,
            f" sent['user_data'] = {self.result} or None",
        ]


class _CustomDataText(_MembersText):
    """Writes code that reads `custom_data`; amounts and their currency are read together."""

    elsewhere = MONEY

    def __init__(self, read: CustomDataReader, text: FunctionNames, refusing: list[str]) -> None:
        """Include the check for refunds before all reads."""
        super().__init__(read_all_but_money, text, "custom_data")
        self._amounts = read.read_amounts
        self._refusing = refusing

    def begin(self) -> list[str]:
        """Return the statement that creates an empty object."""
        return [" custom = {}", *super().begin()]

    def member(self, name: str, given: str) -> list[str]:
        """Return the code that reads a member."""
        return [f" custom[{name!r}] = {given}"] if name in MONEY else super().member(name, given)

    def end(self) -> list[str]:
        """Return the code that reads the amounts and stores the object."""
        amounts = f"{self._text.bound(self._amounts)}(custom, {self.result}, candidates)"
        lines = super().end()
        said = 1 if self._has_unknown else 0
        reading = [" if custom:", *indented(self._refusing), f"  {self._notes} += {amounts}"]
        return [*lines[:said], *reading, *lines[said:]]
