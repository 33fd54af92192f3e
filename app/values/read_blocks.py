"""The blocks of an event that each say something of one person, between the mapping that reads them and the action."""

from typing import Any


class Blocks(list[Any]):
    """A list of `{place, is_recipient, values}` as `@blocks` makes them; the type proves that nobody else did.

    `place` is where the block stands in the event, `values` are pairs of key and value by member.
    """

    __slots__ = ()
