"""Privacy flags: read so that what was said against tracking is never lost.

Several values are what several places of the event say: one no among them is a no. Only null, empty and blank texts say
nothing; whatever else cannot be read is a no.
"""

import re
from typing import Any, Final

from app.core.values.flags import read_flag, said, single
from app.destination.reading import NO_NOTES, Reader, Reading, about_flag, flattened, text_of
from app.destination.warnings import kind, left_out

#: The flag of privacy laws that Pinterest knows: Limited Data Processing.
LDP = "LDP"
#: How it is written besides, without marks and in lower case.
_LDP_WORDS: Final = frozenset({"ldp", "limiteddataprocessing"})
_MARKS = re.compile(r"[\W_]+")
#: What a flag looks like; all else could be anybody's words.
_FLAG = re.compile(r"(?!(?:\D*\d){7})(?!\d+$)\w[\w.-]{0,39}", re.ASCII)
_SEPARATORS = re.compile(r"[,;\s]+")
#: IAB's US Privacy String, version 1: of its letters the third says whether somebody opted out.
#: https://github.com/InteractiveAdvertisingBureau/USPrivacy
_US_PRIVACY = re.compile(r"\s*1[YN-](?P<opted_out>[YN-])[YN-]\s*", re.IGNORECASE)
#: Words that say nothing anywhere else, a yes or no, or that somebody opted out: none is a flag of a privacy law.
_NO_FLAG = re.compile(
    r"(?<![^,;\s])(?:null|undefined|none|nan|n/a|\(not set\)|true|yes|1|on|off|[ynt]|opt(?:ed)?[\s_-]?(?:in|out)|denied"
    r"|refused|rejected|restricted|limited|unknown|enabled|disabled|all)(?![^,;\s])",
    re.IGNORECASE,
)


def careful_flag(no: bool) -> Reader:  # noqa: FBT001 - it is the value that is sent, not a switch
    """Make a reader of a privacy flag; `no` (true of an opt-out, false of a permission) wins over the other value."""

    def read(value: Any) -> Reading:
        if type(value) is list and len(value) == 1 and type(value[0]) is bool:  # nearly every flag
            return value[0], NO_NOTES
        given = said(value)
        flags = set(map(read_flag, given))
        if None in flags:
            return no, (f": {kind(single(value))} cannot be read, {str(no).lower()} is sent to be careful",)
        if not flags:
            is_blank = next(flattened(value), None) is not None
            return None, (left_out(single(value), "it is blank"),) if is_blank else NO_NOTES
        if len(flags) > 1:
            return no, (
                f": {str(no).lower()} is sent, since the event says so in one place and the contrary in another",
            )
        flag = flags.pop()
        return flag, about_flag(given[0], flag is True)

    return read


#: true: opted out.
read_opt_out = careful_flag(True)  # noqa: FBT003 - the value itself
#: false: no permission.
read_permission = careful_flag(False)  # noqa: FBT003 - the value itself


def read_opt_out_type(value: Any) -> Reading:
    """Read flags of privacy laws from all places and separate them with commas; LDP in any spelling is LDP.

    A plain no (false, 0, "no") says that nothing was opted out of. LDP is the one that Pinterest knows: it is added to
    whatever else is given, flag or not.
    """
    flags: dict[str, None] = {}
    unreadable = False
    for item in said(value):
        if read_flag(item) is not False:
            found, is_readable = _flags_of(text_of(item) or "")
            flags |= dict.fromkeys(found)
            unreadable = unreadable or not is_readable
    if unreadable or (flags and LDP not in flags):
        flags.setdefault(LDP)
        return ",".join(flags), (
            f": {kind(single(value))} holds what is no flag that Pinterest knows, LDP is sent to be careful",
        )
    if not flags:
        return None, NO_NOTES
    read = ",".join(flags)
    return read, NO_NOTES if read == single(value) else (f": {kind(single(value))} read as flags of privacy laws",)


def _flags_of(text: str) -> tuple[list[str], bool]:
    """Return what looks like flags in a text, and whether nothing else stands in it."""
    if privacy := _US_PRIVACY.fullmatch(text):
        return ([LDP] if privacy["opted_out"] in "Yy" else []), True
    if _MARKS.sub("", text).lower() in _LDP_WORDS:
        return [LDP], True
    readable = _NO_FLAG.sub("", text)
    words = [word for word in _SEPARATORS.split(readable) if word]
    found = [LDP if _MARKS.sub("", word).lower() in _LDP_WORDS else word for word in words if _FLAG.fullmatch(word)]
    return found, readable == text and len(found) == len(words) and bool(found)
