"""One event as identity memory sees it: whose it is, what it says of the person, and what it permits."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

#: Types of events that link ids to users.
LINKING: Final = frozenset({"track", "page", "screen", "identify", "alias", "group"})
#: Of these, those whose person is remembered: the traits of a `group` are a company's.
TELLING: Final = LINKING - {"group"}


class IdentityEvent(Struct, frozen=True, kw_only=True, gc=False):
    """One event. Ids stand there as keys (`IdKeys`), persons as digests."""

    #: The event's type.
    kind: str
    #: Its own time, Unix seconds; never later than its receipt.
    at: float
    #: Of its `userId`; None where it has none.
    user: str | None = None
    #: Of a `userId` that its sender is not believed; None elsewhere.
    claimed: str | None = None
    #: Of its `anonymousId`; None where it has none.
    anonymous: str | None = None
    #: Of an alias's `previousId`: as the name of a user, and as an `anonymousId`. None elsewhere.
    previous: tuple[str, str] | None = None
    #: The `user_data` that the default mapping finds in it, as it would be sent.
    found: Mapping[str, Any]
    #: It is withheld, or carries `opt_out` or Limited Data Processing: nothing may be kept of it.
    is_withheld: bool = False
    #: The person says no in it.
    is_no: bool = False
    #: The person says yes in it, in so many words.
    is_yes: bool = False
    #: It says the permission that sending an advertising id needs.
    may_use_device: bool = False
    #: Its sender is known by a secret, not only by a public write key.
    is_proven: bool = True
