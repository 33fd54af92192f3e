"""Writes how the objects in an event are read in a straight line (see `straight_line`): `user_data` and the others.

Where a value needs a word, or cannot be read, the function returns None.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from app.config.validators import currencies
from app.core.values.amounts import Computed
from app.core.values.generated_functions import FunctionNames, ObjectText
from app.destination.custom_data import CONTENT_READERS, CustomDataReader, read_all_but_money
from app.destination.members import MembersReader
from app.destination.money import IntegerReader, plain_money, read_currency
from app.destination.normalise import MAX_LENGTH
from app.destination.person_sections import blocks_of, country_of, phones_beside
from app.destination.reading import Reader, TextReader, text_of
from app.destination.redaction import FreeTextReader
from app.destination.user_data import BY_COUNTRY, FROM_BLOCKS, ReadField, UserDataReader, missing_identifiers

#: What is read beside a currency, in the order in which it is sent.
_MONEY: Final = ("value", "currency", "contents", "predicted_ltv")


def read_at_once(text: FunctionNames, read: Reader | None, name: str, given: str, sent: str) -> list[str]:
    """Write how one member is read into the object `sent`; what nearly every value is, without asking the reader.

    `read` is None where nobody knows the member: it must not be given.
    """
    value = given if given.isidentifier() else "value"
    lines = [] if value == given else [f" {value} = {given}"]
    is_given = f"{value} is not None and {value} != ''"
    if read is None:
        return [*lines, f" if {is_given}: return None"]
    if at_once := _nearly_always(text, read, value):
        lines.append(f" if {at_once}: {sent}[{name!r}] = {value}")
    return [
        *lines,
        f" {'elif' if at_once else 'if'} {is_given}:",
        f"  {value}, notes = {text.bound(read)}({value})",
        "  if notes: return None",
        f"  if {value} is not None: {sent}[{name!r}] = {value}",
    ]


def put_at_once(text: FunctionNames, read: Reader | None, name: str, value: str, sent: str) -> list[str]:
    """Write how a value is put in that is sent as it is (see `ObjectText.at_once`); nothing where it must be read."""
    at_once = _nearly_always(text, read, value) if isinstance(read, TextReader) else ""
    return [f" if {at_once}: {sent}[{name!r}] = {value}"] if at_once else []


def _nearly_always(text: FunctionNames, read: Reader, value: str) -> str:
    """Write the question whether a value is sent as it is; "" where only the reader knows."""
    if isinstance(read, FreeTextReader):
        return f"{value}.__class__ is str and {value} in {text.bound(read.known)}"
    if isinstance(read, TextReader) and not read.cuts:
        first = f"{value} and {value}[0] not in {text.bound(read.doubtful)}"
        return f"{value}.__class__ is str and {first} and {value}.isascii()"
    if isinstance(read, IntegerReader):
        return f"{value}.__class__ is int and {read.minimum} <= {value} <= {read.maximum}"
    return ""


def _plain_contents() -> Callable[[Any], list[dict[str, Any]] | None]:
    """Write the function that reads a list of products where nothing is to be said of any; else it returns None."""
    text = FunctionNames()
    lines = [
        " contents = []",
        " for item in products:",
        "  if item.__class__ is not dict: return None",
        "  content = {}",
    ]
    for name, read in CONTENT_READERS.items():
        if name == "quantity":  # in the order of the default mapping
            lines += ["  if 'item_price' in item:", f"   value = {text.bound(plain_money)}(item['item_price'])"]
            lines += ["   if value is None: return None", "   content['item_price'] = value"]
        member = read_at_once(text, read, name, f"item[{name!r}]", "content")
        lines += [f"  if {name!r} in item:", *(f"  {line}" for line in member)]
    lines += [
        "  if not item or len(content) != len(item): return None",
        "  contents.append(content)",
        " return contents",
    ]
    return text.function("products", [" if products.__class__ is not list: return None", *lines])


_read_plain_contents: Final = _plain_contents()


class MembersText(ObjectText):
    """Writes how an object is read as `MembersReader` does it."""

    def __init__(self, read: MembersReader, text: FunctionNames, place: str) -> None:
        """Write in the function `text`; the object goes to `place` where anything is in it."""
        self._read = read
        self._text = text
        self._place = place
        self.result = text.new("w")

    def begin(self) -> list[str]:
        """Write the statement that makes an empty object."""
        return [f" {self.result} = {{}}"]

    def inner(self, name: str) -> ObjectText | None:  # noqa: ARG002 - as all are asked
        """Return None: an object in this one is read by a reader of its own, not member by member."""
        return None

    def constant(self, name: str, value: Any) -> list[str]:
        """Write how a member that is the same in each event is read: as any other, since a reader may refuse it."""
        return self.member(name, f"({self._text.bound(value)})")  # in brackets: nobody may assign to it

    def member(self, name: str, given: str) -> list[str]:
        """Write how a member is read."""
        return read_at_once(self._text, self._read.readers.get(name), name, given, self.result)

    def at_once(self, name: str, value: str) -> list[str]:
        """Write how a text is put in that is sent as it is."""
        return put_at_once(self._text, self._read.readers.get(name), name, value, self.result)

    def end(self) -> list[str]:
        """Put the object where it belongs."""
        return [f" if {self.result}: {self._place} = {self.result}"]


class UserDataText(MembersText):
    """Writes how `user_data` is read: at once, but for what hangs on the blocks of the event, where it has any."""

    def __init__(self, read: UserDataReader, text: FunctionNames, *, blocks: bool) -> None:
        """Write with a look at the blocks if `blocks` says that there may be any."""
        super().__init__(MembersReader({}), text, "sent['user_data']")
        self._reader = read
        self._country = "None"
        self._blocks = blocks

    def ordered(self, names: Iterable[str]) -> Iterable[str]:
        """Return the country first, by which others are read."""
        known = [name for name in names if self._blocks or name != FROM_BLOCKS]
        self._country = "country" if "country" in known else "None"
        return sorted(known, key=lambda name: name != "country")

    def begin(self) -> list[str]:
        """Write the statement that makes an empty object."""
        late = [" wanted, late = None, {}"] if self._blocks else []
        return [" country = None", *late, *super().begin()]

    def member(self, name: str, given: str) -> list[str]:
        """Write how a member is read."""
        if name == FROM_BLOCKS:
            return [f" wanted = {given}"]
        lines = self._read_text(name)
        if self._blocks and name in BY_COUNTRY:
            lines = [f" if blocks is not None: late[{name!r}] = value", " else:", *(f" {line}" for line in lines)]
        return [f" value = {given}", *([" phone = value"] if name == "phone" else []), *lines]

    def at_once(self, name: str, value: str) -> list[str]:
        """Write how a plain text is read; where it says nothing its reader refuses it, and the function gives up."""
        field = self._reader.fields.get(name)
        if field is None or name in ("country", "phone") or (self._blocks and name in BY_COUNTRY):
            return []
        return [
            f" if {value}.__class__ is str and {value} and len({value}) <= {MAX_LENGTH} and {value}.isascii():",
            *self._remembered(field, value),
        ]

    def _read_text(self, name: str) -> list[str]:
        field = self._reader.fields.get(name)
        if field is None:
            return super().member(name, "value")
        ascii_or_not = f"value if value.isascii() else {self._text.bound(text_of)}(value)"
        return [
            *([f" country = {self._text.bound(country_of)}(value)"] if name == "country" else []),
            f" if value.__class__ is str and value and len(value) <= {MAX_LENGTH}:",
            *self._remembered(field, ascii_or_not),
            " elif value is not None and value != '':",
            f"  value, notes = {self._text.bound(field.read)}(value, {self._country})",
            "  if notes or value is None: return None",
            f"  {self.result}[{field.wire!r}] = value",
        ]

    def _remembered(self, field: ReadField, given: str) -> list[str]:
        return [
            f"  value, note = {self._text.bound(field.remembered)}({given}, {self._country})",
            "  if note or value is None: return None",
            f"  {self.result}[{field.wire!r}] = {'[value]' if field.several else 'value'}",
        ]

    def end(self) -> list[str]:
        """Put the object where it belongs, if it tells who it is."""
        bound = self._text.bound
        by_blocks = [
            " if blocks is not None:",
            f"  people = {bound(blocks_of)}(blocks)",
            f"  if {bound(self._reader.complete)}({self.result}, people, wanted, country, late): return None",
            f"  phone = {bound(phones_beside)}(phone, blocks)",
        ]
        missing = f" if {self._text.bound(missing_identifiers)}({self.result} or {{}}): return None"
        return [*(by_blocks if self._blocks else []), missing, *super().end()]


class CustomDataText(MembersText):
    """Writes how `custom_data` is read where its amounts need no second look."""

    def __init__(self, read: CustomDataReader, text: FunctionNames) -> None:
        super().__init__(read_all_but_money, text, "sent['custom_data']")
        self._contents = read.contents_beside

    def ordered(self, names: Iterable[str]) -> Iterable[str]:
        """Return the currency in front of what is read by it."""
        known = list(names)
        return [*(name for name in known if name not in _MONEY), *(name for name in _MONEY if name in known)]

    def begin(self) -> list[str]:
        """Write the statement that makes an empty object."""
        return [" currency = None", *super().begin()]

    def member(self, name: str, given: str) -> list[str]:
        """Write how a member is read."""
        if name not in _MONEY:
            return super().member(name, given)
        return [
            f" value = {given}",
            " if value is not None and value != '':",
            *(f"  {line}" for line in self._money(name)),
            f"  {self.result}[{name!r}] = value",
        ]

    def _money(self, name: str) -> list[str]:
        """Write how a value is read that is given, and is an amount or has to do with amounts."""
        bound = self._text.bound
        if name == "currency":
            return [
                f"if value.__class__ is not str or value not in {bound(currencies())}:",
                f" value, notes = {bound(read_currency)}(value)",
                " if notes or value is None: return None",
                "currency = value",
            ]
        if name == "contents":
            return [
                f"value = {bound(_read_plain_contents)}(value) or {bound(self._contents)}(value, currency)",
                "if value is None: return None",
            ]
        computed = [f"is_computed = value.__class__ is {bound(Computed)}"] if name == "value" else []
        return [*computed, f"value = {bound(plain_money)}(value)", "if value is None: return None"]
