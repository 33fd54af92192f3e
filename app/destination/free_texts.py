"""Texts that somebody wrote: products, brands, devices; whatever personal data they hold is taken out."""

import sys
from collections.abc import Callable
from typing import Any

from app.core.values.hidden_emails import without_plain
from app.destination.reading import NO_NOTES, Reader, Reading, TextReader, flattened
from app.destination.redaction import redacted_text
from app.destination.warnings import kind, left_out

#: Longer texts are not remembered, nor more than so many by one reader.
_MAX_REMEMBERED = 100
_MAX_KNOWN = 8192


class FreeTextReader(TextReader):
    """Reads texts that somebody wrote: e-mail addresses and phone numbers in them are taken out.

    The same few texts come again and again (products, devices), so what is sent as it came is remembered, up to a
    bound: `MembersReader` takes such texts without asking.
    """

    def __init__(self, max_length: int = sys.maxsize, *, clean: Callable[[str], str] = redacted_text) -> None:
        """Clean texts by `clean`, which takes personal data out."""
        super().__init__(max_length)
        self._clean = clean
        self.known: set[str] = set()

    def __call__(self, value: Any) -> Reading:
        """Read one value as a text, without personal data."""
        given, notes = self._text_of(value)
        if given is None:
            return None, notes
        clean = self._clean(given)
        if not clean.strip():
            return None, (f": {kind(value)} left out, it is personal data",)
        text, notes = self._cut(clean, value)
        if clean != given:
            return text, (*notes, ": personal data taken out")
        if type(value) is str and text == value and len(text) <= _MAX_REMEMBERED:
            if len(self.known) >= _MAX_KNOWN:
                self.known.clear()
            self.known.add(text)
        return text, notes


def product_id(max_length: int = sys.maxsize) -> FreeTextReader:
    """Make a reader of ids of products, brands and apps, in which digits are no phone numbers."""
    return FreeTextReader(max_length, clean=without_plain)


def list_of(read: FreeTextReader) -> Reader:
    """Make a reader of a list of texts; a single one is a list of one, null and empty items are nothing."""

    def read_list(value: Any) -> Reading:
        if type(value) is str and value in read.known:
            return [value], NO_NOTES
        kept: list[str] = []
        notes: list[str] = []
        for item in flattened(value):
            if type(item) is str and item in read.known:  # nearly every item
                kept.append(item)
                continue
            text, problems = read(item)
            notes += problems
            if text is not None:
                kept.append(text)
        return kept or None, tuple(notes) if kept or notes else (left_out(value, "nothing is in it"),)

    return read_list


read_free_text: Reader = FreeTextReader()
