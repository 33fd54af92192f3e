"""What programs write where they have nothing: one list for the source, the mapping and what is sent."""

#: In lower case; they stand in any.
PLACEHOLDERS = frozenset({"null", "undefined", "none", "nan", "n/a", "(not set)"})
_MAX_LENGTH = max(map(len, PLACEHOLDERS))


def says_nothing(text: str) -> bool:
    """Return whether a text is empty, blank or a placeholder.

    >>> says_nothing(" "), says_nothing("NaN"), says_nothing("Nancy")
    (True, True, False)
    """
    if len(text) > _MAX_LENGTH and not (text[0].isspace() or text[-1].isspace()):  # nearly every text
        return False
    word = text.strip()
    return not word or word.lower() in PLACEHOLDERS
