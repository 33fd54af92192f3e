"""Names of the environment and of the settings' file that look like settings and are none.

A misspelt setting is not set: with CONSENT_CATEGORY in place of CONSENT_CATEGORIES no consent would be asked for.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from app.config.shipped_files import folder_or_shipped

#: A variable of the environment that is so few edits from a setting's name is a misspelling of it. An edit changes,
#: adds or removes a letter, or swaps two neighbours.
MAX_EDITS: Final = 3
#: Shorter names are near to too many others.
_MIN_CHARACTERS: Final = 10
#: Variables that begin with the first word of a setting are warned of; of shorter words there are too many.
_MIN_PREFIX: Final = 6
#: Variables of Pinrelay's own name: no setting has it, though one may think so.
_OWN_NAME: Final = "PINRELAY"
#: What Docker's links and Kubernetes' services put into every container, by the name of a service.
_OF_SERVICES: Final = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)?$")
#: What libraries read that Pinrelay uses: traces, S3, PostgreSQL, MySQL, certificates and proxies, Python, terminals.
_OF_LIBRARIES: Final = re.compile(
    r"(OTEL|AWS|PG|MYSQL|SSL_CERT|PYTHON|PROMETHEUS|MALLOC|LC)_?\w*|(HTTPS?|ALL|NO)_PROXY|TZ|TMPDIR|PATH|HOME|LANG|"
    r"NO_COLOR|FORCE_COLOR|COLUMNS"
)
#: How files of sources and destinations name the variable of a secret.
_NAMED_IN_FILE: Final = re.compile(r"\benv:\s*[\"']?(\w+)")


class SettingNames:
    """Which names are settings, and which of the others look like one."""

    def __init__(self, names: Iterable[str], secrets: Collection[str]) -> None:
        """Take the settings, and those of them that may come from a file: `NAME_FILE`."""
        names = tuple(names)
        self._known = frozenset((*names, *(f"{name}_FILE" for name in secrets)))
        self._long = {name: frozenset(name) for name in sorted(self._known) if len(name) >= _MIN_CHARACTERS}
        words = {name.partition("_")[0] for name in names}
        self._prefixes = tuple(f"{word}_" for word in sorted(words) if len(word) >= _MIN_PREFIX)

    def unknown_lines(self, lines: Mapping[str, int], environ: Mapping[str, str]) -> Iterator[tuple[int, str]]:
        """Yield the line numbers of names in a settings' file that nothing reads, with what is wrong."""
        unknown = {name: line for name, line in lines.items() if not self._is_read(name)}
        named = _named_in_files(environ) if unknown else frozenset()
        for name, line in unknown.items():
            if _without_file(name) not in named:
                nearest = self._nearest(name.upper(), sorted(self._known))
                yield line, f"{name} is not a setting. The nearest is {nearest}: correct the name, or remove the line"

    def misspelt(self, environ: Mapping[str, str]) -> list[str]:
        """Return what is wrong with variables that are almost a setting, a line each; no value is shown."""
        found = [(name, near) for name, near in self._looked_at(environ) if near]
        named = _named_in_files(environ) if found else frozenset()
        return [
            f"{name}: is not a setting. The nearest is {near}. Correct the name; if another program needs it, "
            f"start Pinrelay without it: env -u {name} pinrelay ..."
            for name, near in found
            if _without_file(name) not in named
        ]

    def doubtful(self, environ: Mapping[str, str]) -> list[str]:
        """Return the variables that share only the first word with a setting; another program may own them."""
        prefixes = (f"{_OWN_NAME}_", *self._prefixes)
        found = [name for name, near in self._looked_at(environ) if not near and name.upper().startswith(prefixes)]
        named = _named_in_files(environ) if found else frozenset()
        return [name for name in found if _without_file(name) not in named]

    def _looked_at(self, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield each variable that nothing reads, with the setting that it almost is, "" for none."""
        for name, value in sorted(environ.items()):
            if value and not self._is_read(name) and not _OF_SERVICES.search(name):
                yield name, self._almost(name.upper())

    def _is_read(self, name: str) -> bool:
        return name.upper() in self._known or _OF_LIBRARIES.fullmatch(name.upper()) is not None

    def _almost(self, name: str) -> str:
        letters = frozenset(name)
        near = [
            known
            for known, of_known in self._long.items()
            if abs(len(known) - len(name)) <= MAX_EDITS  # both are bounds, and cost little
            and len(letters ^ of_known) <= 2 * MAX_EDITS
            and edits(name, known) <= MAX_EDITS
            and not _has_another_word(name, known)
        ]
        return self._nearest(name, near) if near else ""

    def _nearest(self, name: str, known: Iterable[str]) -> str:
        return min(known, key=lambda each: edits(name, each))


def _without_file(name: str) -> str:
    return name.removesuffix("_FILE")


def _has_another_word(name: str, known: str) -> bool:
    """Return whether one of the words is another: PUBLIC_KEY is no misspelling of PUBLIC_URL."""
    pairs = list(zip(name.split("_"), known.split("_"), strict=False))
    differing = [pair for pair in pairs if pair[0] != pair[1]]
    if name.count("_") != known.count("_") or len(differing) != 1:
        return False
    return 2 * edits(*differing[0]) > max(map(len, differing[0]))


@cache
def edits(one: str, other: str) -> int:
    """Return how many edits make one text of the other: change, add or remove a letter, or swap two neighbours.

    Letters may be added or removed between those that are swapped (Damerau and Levenshtein, unrestricted).

    >>> edits("CONSENT_CATEGORY", "CONSENT_CATEGORIES"), edits("WRIET_KEYS", "WRITE_KEYS")
    (3, 1)
    """
    rows = [list(range(len(other) + 1))]
    #: In which row a letter of `one` came last.
    met: dict[str, int] = {}
    for row, letter in enumerate(one, start=1):
        this = [row]
        #: In which column this letter came last.
        same = 0
        for column, wanted in enumerate(other, start=1):
            cost = min(rows[-1][column] + 1, this[-1] + 1, rows[-1][column - 1] + (letter != wanted))
            if same and (above := met.get(wanted)):  # swapped, with all between them removed or added
                cost = min(cost, rows[above - 1][same - 1] + row - above + column - same - 1)
            if letter == wanted:
                same = column
            this.append(cost)
        met[letter] = row
        rows.append(this)
    return rows[-1][-1]


def _named_in_files(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the variables that files of sources and destinations name; a file that cannot be read names none."""
    folders = [folder_or_shipped(Path("sources"))]
    for setting in ("SOURCES_DIR", "DESTINATIONS_DIR"):
        folders += [Path(each.strip()) for each in environ.get(setting, "").split(",") if each.strip()]
    texts = (_text(file) for folder in folders for file in folder.glob("*.y*ml"))
    return frozenset(name for text in texts for name in _NAMED_IN_FILE.findall(text))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
