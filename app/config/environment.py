"""The notation of settings in the environment: lists, folders, secrets, files of secrets; and misspelt names."""

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource

from app.errors import SettingsError

Model = TypeVar("Model", bound=BaseSettings)


#: In a checkout the shipped files are in the repository's own folders. A wheel has them in `app/_shipped`, in the
#: layout of the checkout (see `force-include` in pyproject.toml).
_PACKAGE: Final = Path(__file__).parents[1]
_PACKED: Final = _PACKAGE / "_shipped"
#: The folders of YAML files.
FOLDERS: Final = ("presets", "mappings", "sources")


def shipped(name: str) -> Path:
    """Return the path of a shipped file or folder: `presets`, `docs/prometheus-alerts.yaml`."""
    return (_PACKED if _PACKED.is_dir() else _PACKAGE.parent) / name


def folder_or_shipped(path: Path) -> Path:
    """Return a folder of a setting; for a missing `presets`, `mappings` or `sources`, the shipped one."""
    return shipped(str(path)) if str(path) in FOLDERS and not path.exists() else path


def as_in_settings(folder: Path) -> str:
    """Return a folder in a form for settings that survives an upgrade: shipped folders by name only."""
    return folder.name if folder in map(shipped, FOLDERS) else str(folder)


def split_list(value: Any) -> Any:
    """Split a text with commas or line ends into a tuple; pydantic validates other values.

    Raises ValueError for a list in JSON, which would otherwise become strange names.
    """
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith('["') and value.rstrip().endswith('"]'):
        raise ValueError("must be a list with commas, not JSON: one,another")
    return tuple(filter(None, map(str.strip, value.replace("\n", ",").split(","))))


def each_validated(change: Callable[[Any], Any]) -> AfterValidator:
    """Return a validator that changes each value of a tuple, or rejects it by ValueError."""
    return AfterValidator(lambda values: tuple(map(change, values)))


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(split_list)]


#: The value of a list setting that has a default, if no value of the list applies.
NONE: Final = ("none",)


def _none_is_alone(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values. Raises ValueError for an empty list, and for `none` with another value."""
    if not values:
        raise ValueError("must not be empty: write none")
    if "none" in values and len(values) > 1:
        raise ValueError("must be none alone, or a list without none")
    return values


NoneIsAlone: Final = AfterValidator(_none_is_alone)
TextsOrNone = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list), NoneIsAlone]
FolderPaths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(split_list), each_validated(folder_or_shipped)]


class SettingTable(BaseModel):
    """A setting of several numbers: `name:number,name:number`. A missing name has its default."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        """Parse a text as a mapping. Raises ValueError for a part that is not `name:number`, or a repeated name."""
        if not isinstance(value, str):
            return value
        found: dict[str, str] = {}
        for part in split_list(value):
            name, separator, number = map(str.strip, part.partition(":"))
            if not separator:
                raise ValueError(f"write it as {cls()}")
            if name in found:
                raise ValueError(f"{name} is there twice")
            found[name] = number
        return found

    def __str__(self) -> str:
        """Return the text that `_read` reads."""
        return ",".join(f"{name}:{value:g}" for name, value in self)


class UnreadableFile(SettingsError):
    """The file of a secret cannot be read."""

    def __init__(self, name: str, path: Path, why: str) -> None:
        self.name = name
        place = path if path.parent.name else "the file (its name has no folder and may be the secret, so it is hidden)"
        super().__init__(
            f"{_file_setting(name)}: cannot read {place}: {why}. Put the secret there, readable by Pinrelay"
        )


def _file_setting(name: str) -> str:
    return f"{name.upper()}_FILE"


def text_of_file(name: str, path: Path) -> str:
    """Return the text in the file of the setting `name`, without surrounding blanks. Raises UnreadableFile."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise UnreadableFile(name, path, exc.strerror or "") from exc
    except UnicodeDecodeError as exc:
        raise UnreadableFile(name, path, "it is not UTF-8") from exc


def may_come_from_file(field: Any) -> bool:
    """Return whether a setting is a secret, so that `NAME_FILE` may set it."""
    return "SecretStr" in str(field.annotation)


class SecretFiles(PydanticBaseSettingsSource):
    """Reads `NAME_FILE` for every secret setting without an argument or variable."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Return the text of the setting's file; `None` without a file. Raises UnreadableFile."""
        path = os.environ.get(_file_setting(field_name)) if may_come_from_file(field) else None
        return (text_of_file(field_name, Path(path)) if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the texts of the files, by the setting's name."""
        given = self.current_state.keys()  # by arguments or variables, which precede files
        fields = {name: field for name, field in self.settings_cls.model_fields.items() if name not in given}
        found = {name: self.get_field_value(field, name)[0] for name, field in fields.items()}
        return {name: value for name, value in found.items() if value}


def bare_secret(name: str, text: str) -> str:
    """Return a secret of the setting `name` without its prefix: `X-Key: value`, `shop:key`, `ada:token`."""
    if name == "CONSOLE_USERS":
        return text.rpartition(":")[2].strip()
    return text.partition(":")[2].strip() if name in {"WEBHOOK_HEADER", "WRITE_KEYS"} else text


def faults_of(exc: ValidationError, settings: type[BaseModel]) -> str:
    """Return the faults of settings, one per line: the variable, the remedy and the value, except that of a secret."""
    return "\n".join(
        ": ".join([*(str(part).upper() for part in fault["loc"][:1]), _in_words(fault, settings)])
        for fault in exc.errors()
    )


#: Longer values are not shown: a token in the wrong variable is longer.
_MAX_SHOWN: Final = 40


def _in_words(fault: ErrorDetails, settings: type[BaseModel]) -> str:
    """Describe a fault, and add the value unless it is or may be a secret."""
    name, *inner = map(str, fault["loc"] or ("",))
    table = settings.model_fields[name].annotation if inner else None
    if isinstance(table, type) and issubclass(table, SettingTable):
        if fault["type"] == "extra_forbidden":
            return f"{inner[0]}: must be one of {', '.join(table.model_fields)}"
        return f"{inner[0]}: {_in_words(fault | {'loc': (inner[0],)}, table)}"
    words, given = _remedy(fault, settings), str(fault["input"])
    is_shown = words.startswith("must be ") and "not JSON" not in words and len(given) <= _MAX_SHOWN
    if not is_shown or may_come_from_file(settings.model_fields[str(fault["loc"][0])]):
        return words
    return f"{words}; the value is {given!r}"


def _remedy(fault: ErrorDetails, settings: type[BaseModel]) -> str:
    context = fault.get("ctx", {})
    if known := _WORDS.get(fault["type"]):
        return known.format_map(context | {"form": FORMS.get(context.get("pattern", ""))})
    schema = settings.model_json_schema()["properties"][str(fault["loc"][0])] if fault["loc"] else {}
    schema |= next((each for each in schema.get("anyOf", ()) if each["type"] in _NUMBERS), {})
    if fault["type"] != "value_error" and schema.get("type") in _NUMBERS:
        bounds = [text.format(schema[bound]) for bound, text in _BOUNDS.items() if bound in schema]
        return f"must be {', '.join([_NUMBERS[schema['type']], *bounds])}"
    return text_of_fault(fault)


def text_of_fault(fault: Mapping[str, Any]) -> str:
    """Return the message of a validation error of pydantic. A validator's own message gets no prefix."""
    message: str = fault["msg"]
    return message.removeprefix("Value error, ")


#: Descriptions of patterns in settings and files, for errors.
FORMS: Final = {
    r"^\d{1,18}$": "1 to 18 digits, such as 549755885175",
    r"^ss-[a-z0-9-]+$": "ss- and then lower-case letters, digits or hyphens, such as ss-shop",
    r"^[\w-]+(\.[\w-]+)+$": "a domain, such as shop.example",
    r"^[1-9][0-9]{0,3}[sm]$": "a number of seconds or minutes, such as 90s or 30m",
    r"^[A-Za-z0-9-]+$": "the name of a header, such as X-Api-Key",
    r"^[A-Z][A-Z0-9_]*$": "the name of an environment variable, such as SHOP_SECRET",
    r"^[^:]*$": "a name without a colon",
    r"^[^/]+/[^/]+$": "a source and one of its tests, such as shopify/A paid order",
    r"^[a-z0-9][a-z0-9_-]{0,39}$": "1 to 40 lower-case letters, digits, hyphens or underscores, such as my-shop",
}
#: Messages by pydantic's name of the error.
_WORDS: Final = {
    "string_pattern_mismatch": "must be {form}",
    "too_short": "has {actual_length} characters, must have at least {min_length}",  # pydantic's name for a secret
    "too_long": "has {actual_length} values, must have at most {max_length}",
    "bool_parsing": "must be true or false",
    "literal_error": "must be {expected}",
}
_NUMBERS: Final = {"integer": "a whole number", "number": "a number"}
_BOUNDS: Final = {
    "minimum": "{} or more",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {:,}",
    "exclusiveMaximum": "less than {}",
}


class ChangedFiles:
    """Detects which files have changed, and returns their names."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._seen = self._states()

    def look(self) -> list[str]:
        """Return the names of the files that have changed since the last call."""
        before, self._seen = self._seen, self._states()
        return [name for name, state in self._seen.items() if state != before[name]]

    def _states(self) -> dict[str, tuple[int, ...]]:
        return {name: file_state(path) for name, path in self._files.items()}


class SecretWatch(Generic[Model]):
    """Reloads secrets from changed files (`NAME_FILE`) without a restart.

    If a file is unreadable or blank, or the settings become invalid, `on_fault` gets the error once for each change,
    and the previous secrets stay in use.
    """

    def __init__(
        self,
        settings: Model,
        names: Iterable[str],
        *,
        on_fault: Callable[[str], None],
        read_anew: ChangedFiles | None = None,
    ) -> None:
        #: Files of secrets that are read at each use.
        self.read_anew = read_anew or ChangedFiles({})
        self._settings = settings
        given = {name: os.environ.get(_file_setting(name)) for name in names}
        self._files = {name: Path(path) for name, path in given.items() if path}
        self._on_fault = on_fault
        self._takers: list[Callable[[Model], Callable[[], None]]] = []
        self._changes = ChangedFiles(self._files)

    def tell(self, taker: Callable[[Model], Callable[[], None]]) -> None:
        """Register a receiver of changed settings.

        It returns a function that applies the changes, or raises SettingsError. If any receiver raises, no change is
        applied.
        """
        self._takers.append(taker)

    def look(self) -> list[str]:
        """Apply the changes since the last call; return the names of the changed settings."""
        names = self._changes.look()
        if not names:
            return []
        try:
            changed = type(self._settings)(**(self._settings.model_dump() | self._texts()))
            taking_up = [taker(changed) for taker in self._takers]
        except ValidationError as exc:
            self._on_fault(faults_of(exc, type(self._settings)))
        except SettingsError as exc:
            self._on_fault(str(exc))
        else:
            self._settings = changed
            for take_up in taking_up:
                take_up()
            return names
        return []

    def _texts(self) -> dict[str, str]:
        texts = {name: text_of_file(name, path) for name, path in self._files.items()}
        if blank := [_file_setting(name) for name, text in texts.items() if not text]:
            raise SettingsError(f"{', '.join(blank)}: the file is empty; the previous secrets stay in use")
        return texts


def file_state(path: Path) -> tuple[int, ...]:
    """Return a state that changes with a file: time of the last change, size and inode; () if it is inaccessible."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


#: A variable of the environment within this edit distance of a setting is a misspelling of it. An edit changes, adds or
#: removes a letter, or swaps two neighbours.
MAX_EDITS: Final = 3
#: Shorter names are similar to too many other names.
_MIN_CHARACTERS: Final = 10
#: Variables with the same first word as a setting cause a warning; shorter words are too frequent.
_MIN_PREFIX: Final = 6
#: Prefix of variables with Pinrelay's own name, which no setting has although users may expect it.
_OWN_NAME: Final = "PINRELAY"
#: Variables that Docker links and Kubernetes services add to every container, by the name of a service.
_OF_SERVICES: Final = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)?$")
#: Variables of the libraries in use: traces, S3, PostgreSQL, MySQL, certificates and proxies, Python, terminals.
_OF_LIBRARIES: Final = re.compile(
    r"(OTEL|AWS|PG|MYSQL|SSL_CERT|PYTHON|PROMETHEUS|MALLOC|LC)_?\w*|(HTTPS?|ALL|NO)_PROXY|TZ|TMPDIR|PATH|HOME|LANG|"
    r"NO_COLOR|FORCE_COLOR|COLUMNS"
)
#: The variable of a secret in source and destination files.
_NAMED_IN_FILE: Final = re.compile(r"\benv:\s*[\"']?(\w+)")


#: Settings of earlier versions, with their replacement. A removed setting is refused: without the setting, events might
#: be sent that must not be sent.
REMOVED: Final = MappingProxyType(
    {
        "ALERT_FALL": "Set ALERT_LIMITS=fall:SHARE.",
        "ALERT_FULL_HOURS": "Set ALERT_LIMITS=full_hours:HOURS.",
        "ALERT_LEAST_EVENTS": "Set ALERT_LIMITS=least_events:NUMBER.",
        "ALERT_SHARE": "Set ALERT_LIMITS=share:SHARE.",
        "ALERT_SURGE": "Set ALERT_LIMITS=surge:FACTOR.",
        "AUDIT_DAYS": "Set RETENTION_DAYS=audit:DAYS.",
        "BATCH_MAX_BYTES": "A call to Pinterest always has at most 1,000,000 bytes.",
        "BATCH_MAX_EVENTS": "A call to Pinterest always has at most 1,000 events.",
        "CRAWLERS": "WITHHOLD lists what is withheld if Pinterest is live: test_events,crawlers by default.",
        "DEDUP_ORDERS": "ORDER_SCOPE=none compares event ids only.",
        "HONOUR_INTEGRATIONS": "INTEGRATION_NAMES=none sends events whatever their `integrations` say.",
        "LEDGER_DAYS": "Set RETENTION_DAYS=other:DAYS.",
        "LEDGER_DELIVERED_DAYS": "Set RETENTION_DAYS=delivered:DAYS.",
        "MAX_BODY_BYTES": "MAX_DECOMPRESSED_BYTES limits a request both as sent and decompressed.",
        "MAX_CONNECTIONS_PER_ADDRESS": "The limit is always 256. TRUSTED_PROXIES are exempt.",
        "MAX_DECOMPRESSED_IN_FLIGHT": "The limit of a process is always four times MAX_DECOMPRESSED_BYTES.",
        "MAX_EVENTS": "Use MAX_EVENTS_PER_REQUEST.",
        "MAX_JSON_DEPTH": "The limit is always 64 levels.",
        "MAX_UNPACKED_BYTES": "Use MAX_DECOMPRESSED_BYTES.",
        "MAX_UNPACKED_IN_FLIGHT": "The limit of a process is always four times MAX_DECOMPRESSED_BYTES.",
        "ORDER_WAIT_FOR_BROWSER": "Set `wait_for_page: false` in the file of a source.",
        "OUTBOX_MAX_BACKLOG": "Set OUTBOX_MAX_BACKLOG_BYTES.",
        "OUTBOX_QUICK_CHECK_S": "The check always takes at most 5 s.",
        "OUTBOX_RESERVE_BYTES": "The reserve always has 64 MB.",
        "PAYLOAD_DAYS": "Set RETENTION_DAYS=payload:DAYS.",
        "PINTEREST_CLIENT_ID": "Set PINTEREST_APP=id:secret:refresh_token, or PINTEREST_APP_FILE.",
        "PINTEREST_CLIENT_SECRET": "Set PINTEREST_APP=id:secret:refresh_token, or PINTEREST_APP_FILE.",
        "PINTEREST_REFRESH_TOKEN": "Set PINTEREST_APP=id:secret:refresh_token, or PINTEREST_APP_FILE.",
        "PUBLIC_ORDER_MAX": "Use MAX_PUBLIC_ORDER_VALUE.",
        "REMEMBER_CLICK_DAYS": "Set RETENTION_DAYS=click:DAYS.",
        "REMEMBER_SESSION_DAYS": "Set RETENTION_DAYS=session:DAYS.",
        "REQUEST_TIMEOUT_S": "The timeout is always 10 s.",
        "RETRY_MAX_ATTEMPTS": "The limit is always 20. RETRY_MAX_AGE_HOURS limits the age.",
        "SEND_ADVERTISER_TRACKING": "Pinterest's schema has no `advertiser_tracking_enabled`, which is never sent.",
        "SEND_TIMEOUT_S": "The timeout is always 30 s.",
        "SWITCHED_OFF": "Set EVENTS_WHILE_OFF=withhold for refuse, or EVENTS_WHILE_OFF=delay for hold.",
        "TEST_EVENTS": "WITHHOLD lists what is withheld if Pinterest is live: test_events,crawlers by default.",
        "TRACKING_MAX_BATCH_BYTES": "The limit is always 512,000 bytes, as at Segment.",
        "TRACKING_MAX_EVENTS": "The limit is always 2,500 events, as at Segment.",
        "TRACKING_MAX_EVENT_BYTES": "The limit is always 32,768 bytes, as at Segment.",
        "WEBHOOK_AUTHORS": "Set TRUSTED_SENDERS=webhook if only servers make the events of /webhook.",
        "WRITE_KEYS_SECRET": "Set TRUSTED_SENDERS to the names of these write keys.",
        "ZIP_DIGITS_ONLY": "Letters of postal codes are always kept outside the US.",
    }
)


def removed_setting(name: str) -> str:
    """Return the replacement of a removed setting; otherwise "". `name` may be in any case, or end in `_FILE`."""
    sentence = REMOVED.get(without_file_suffix(name.upper()))
    return f"was removed. {sentence}" if sentence else ""


class SettingNames:
    """The names of settings, and the detection of similar names.

    A misspelt setting has no effect: with CONSENT_CATEGORY in place of CONSENT_CATEGORIES no consent would be required.
    """

    def __init__(self, names: Iterable[str], secrets: Collection[str]) -> None:
        """Use the settings, and the names of those that may come from a file: `NAME_FILE`."""
        names = tuple(names)
        self._known = frozenset((*names, *(f"{name}_FILE" for name in secrets)))
        self._long = {name: frozenset(name) for name in sorted(self._known) if len(name) >= _MIN_CHARACTERS}
        words = {name.partition("_")[0] for name in names}
        self._prefixes = tuple(f"{word}_" for word in sorted(words) if len(word) >= _MIN_PREFIX)

    def unknown_lines(self, lines: Mapping[str, int], environ: Mapping[str, str]) -> Iterator[tuple[int, str]]:
        """Yield the line number and the fault of unknown names in a settings' file."""
        unknown = {name: line for name, line in lines.items() if not self._is_known(name)}
        named = _named_in_files(environ) if unknown else frozenset()
        for name, line in unknown.items():
            if without_file_suffix(name) not in named:
                nearest = self._nearest(name.upper(), sorted(self._known))
                yield line, f"{name} is not a setting. The nearest is {nearest}: correct the name, or remove the line"

    def removed(self, environ: Mapping[str, str]) -> list[str]:
        """Return a fault for each removed setting that has a value. No value is shown."""
        return [
            f"{name}: {found} Remove {name}; if another program needs it, start Pinrelay without it: "
            f"env -u {name} pinrelay ..."
            for name, value in sorted(environ.items())
            if value and (found := removed_setting(name))
        ]

    def misspelt(self, environ: Mapping[str, str]) -> list[str]:
        """Return a fault for each variable that is a misspelt setting; no value is shown."""
        found = [(name, near) for name, near in self._looked_at(environ) if near]
        named = _named_in_files(environ) if found else frozenset()
        return [
            f"{name}: is not a setting. The nearest is {near}. Correct the name; if another program needs it, "
            f"start Pinrelay without it: env -u {name} pinrelay ..."
            for name, near in found
            if without_file_suffix(name) not in named
        ]

    def doubtful(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that share only the first word with a setting, with the most similar settings.

        Another program may own them. The most similar settings share most words, or differ by the fewest edits.
        """
        prefixes = (f"{_OWN_NAME}_", *self._prefixes)
        found = [name for name, near in self._looked_at(environ) if not near and name.upper().startswith(prefixes)]
        named = _named_in_files(environ) if found else frozenset()
        return {name: self._alike(name.upper()) for name in found if without_file_suffix(name) not in named}

    def _alike(self, name: str) -> str:
        words = set(name.split("_"))
        shared = {known: len(words & set(known.split("_"))) for known in self._long if not known.endswith("_FILE")}
        most = [known for known, count in shared.items() if count == max(shared.values())]
        return " or ".join(most) if max(shared.values()) > 1 else self._nearest(name, most or shared)

    def doubled(self, environ: Mapping[str, str], overrides: Collection[str]) -> list[str]:
        """Return a fault for each secret that both its variable and its file set, unless `overrides` has it."""
        known = sorted(name for name in self._known if name.lower() not in overrides)
        both = [name for name in known if environ.get(name) and environ.get(_file_setting(name))]
        return [f"{name}: {_file_setting(name)} is set too: remove one of the two" for name in both]

    def _looked_at(self, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield each unknown variable with the setting that it misspells, or ""."""
        for name, value in sorted(environ.items()):
            if value and not self._is_known(name) and not _OF_SERVICES.search(name):
                yield name, self._almost(name.upper())

    def _is_known(self, name: str) -> bool:
        is_own = name.upper() in self._known or removed_setting(name) != ""
        return is_own or _OF_LIBRARIES.fullmatch(name.upper()) is not None

    def _almost(self, name: str) -> str:
        letters = frozenset(name)
        near = [
            known
            for known, of_known in self._long.items()
            if abs(len(known) - len(name)) <= MAX_EDITS  # both conditions are necessary and cheap
            and len(letters ^ of_known) <= 2 * MAX_EDITS
            and edits(name, known) <= MAX_EDITS
            and not _has_another_word(name, known)
        ]
        return self._nearest(name, near) if near else ""

    def _nearest(self, name: str, known: Iterable[str]) -> str:
        return min(known, key=lambda each: edits(name, each))


def without_file_suffix(name: str) -> str:
    """Return the setting of a variable, or of the variable of a file: `NAME` for `NAME_FILE`."""
    return name.removesuffix("_FILE")


def _has_another_word(name: str, known: str) -> bool:
    """Return whether a word is entirely different: PUBLIC_KEY is not a misspelling of PUBLIC_URL."""
    pairs = list(zip(name.split("_"), known.split("_"), strict=False))
    differing = [pair for pair in pairs if pair[0] != pair[1]]
    if name.count("_") != known.count("_") or len(differing) != 1:
        return False
    return 2 * edits(*differing[0]) > max(map(len, differing[0]))


@cache
def edits(one: str, other: str) -> int:
    """Return the edit distance of two texts; an edit changes, adds or removes a letter, or swaps two neighbours.

    Letters may be added or removed between swapped ones (Damerau and Levenshtein, unrestricted).

    >>> edits("CONSENT_CATEGORY", "CONSENT_CATEGORIES"), edits("WRIET_KEYS", "WRITE_KEYS")
    (3, 1)
    """
    rows = [list(range(len(other) + 1))]
    #: By letter of `one`: the last row with the letter.
    met: dict[str, int] = {}
    for row, letter in enumerate(one, start=1):
        this = [row]
        #: The last column with this letter.
        same = 0
        for column, wanted in enumerate(other, start=1):
            cost = min(rows[-1][column] + 1, this[-1] + 1, rows[-1][column - 1] + (letter != wanted))
            if same and (above := met.get(wanted)):  # swapped, with all letters between them removed or added
                cost = min(cost, rows[above - 1][same - 1] + row - above + column - same - 1)
            if letter == wanted:
                same = column
            this.append(cost)
        met[letter] = row
        rows.append(this)
    return rows[-1][-1]


def _named_in_files(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the variables in source and destination files; an unreadable file has none."""
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
