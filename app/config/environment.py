"""How settings are written in the environment: lists, secrets, and secrets in files (`NAME_FILE`)."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource

from app.config.shipped_files import folder_or_shipped
from app.errors import SettingsError

Model = TypeVar("Model", bound=BaseSettings)


def _split(value: Any) -> Any:
    """Read a text of several, by commas or one a line, as a tuple; anything else is left to pydantic.

    Raises ValueError for a list in JSON, which would be taken as odd names.
    """
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith('["') and value.rstrip().endswith('"]'):
        raise ValueError("must be a list with commas, not JSON: one,another")
    return tuple(filter(None, map(str.strip, value.replace("\n", ",").split(","))))


def each_validated(change: Callable[[Any], Any]) -> AfterValidator:
    """Have each of several changed, or refused by ValueError."""
    return AfterValidator(lambda values: tuple(map(change, values)))


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
FolderPaths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split), each_validated(folder_or_shipped)]


class UnreadableFile(SettingsError):
    """The file of a secret cannot be read."""

    def __init__(self, name: str, path: Path, why: str) -> None:
        place = path if path.parent.name else "the file (its name has no folder and may be the secret, so it is hidden)"
        super().__init__(
            f"{_file_setting(name)}: cannot read {place}: {why}. Put the secret there, readable by Pinrelay"
        )


def _file_setting(name: str) -> str:
    return f"{name.upper()}_FILE"


def text_of_file(name: str, path: Path) -> str:
    """Return what the file of the setting `name` holds, without the blanks around it. Raises UnreadableFile."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise UnreadableFile(name, path, exc.strerror or "") from exc
    except UnicodeDecodeError as exc:
        raise UnreadableFile(name, path, "it is not UTF-8") from exc


def may_come_from_file(field: Any) -> bool:
    """Return whether a setting is a secret, so that `NAME_FILE` may give it."""
    return "SecretStr" in str(field.annotation)


class SecretFiles(PydanticBaseSettingsSource):
    """Reads `NAME_FILE` for every secret setting that neither an argument nor a variable gives."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Return the text of the setting's file, None where there is none. Raises UnreadableFile."""
        path = os.environ.get(_file_setting(field_name)) if may_come_from_file(field) else None
        return (text_of_file(field_name, Path(path)) if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return what the files hold, by the setting's name."""
        given = self.current_state.keys()  # by arguments or variables, which come before files
        fields = {name: field for name, field in self.settings_cls.model_fields.items() if name not in given}
        found = {name: self.get_field_value(field, name)[0] for name, field in fields.items()}
        return {name: value for name, value in found.items() if value}


def bare_secret(name: str, text: str) -> str:
    """Return a secret of the setting `name` without what stands before it: `X-Key: value`, `shop:key`, `ada:token`."""
    if name == "CONSOLE_USERS":
        return text.rpartition(":")[2].strip()
    return text.partition(":")[2].strip() if name in {"WEBHOOK_HEADER", "WRITE_KEYS"} else text


def faults_of(exc: ValidationError, settings: type[BaseModel]) -> str:
    """Return what is wrong with settings, one line a fault: the variable and what is wrong. No secret is shown."""
    return "\n".join(
        ": ".join([*(str(part).upper() for part in fault["loc"][:1]), _in_words(fault, settings)])
        for fault in exc.errors()
    )


def _in_words(fault: ErrorDetails, settings: type[BaseModel]) -> str:
    context = fault.get("ctx", {})
    if known := _WORDS.get(fault["type"]):
        return known.format_map(context | {"form": FORMS.get(context.get("pattern", ""))})
    schema = settings.model_json_schema()["properties"][str(fault["loc"][0])] if fault["loc"] else {}
    schema |= next((each for each in schema.get("anyOf", ()) if each["type"] in _NUMBERS), {})
    if fault["type"] != "value_error" and schema.get("type") in _NUMBERS:
        bounds = [text.format(schema[bound]) for bound, text in _BOUNDS.items() if bound in schema]
        return f"must be {', '.join([_NUMBERS[schema['type']], *bounds])}"
    return fault["msg"].removeprefix("Value error, ")


#: Patterns of settings and files, in words: an error shows these.
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
#: By pydantic's name of what is wrong.
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
    """Tells which files have changed, by the names that they are known by."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._seen = self._states()

    def look(self) -> list[str]:
        """Return the names of the files that have changed since the last look."""
        before, self._seen = self._seen, self._states()
        return [name for name, state in self._seen.items() if state != before[name]]

    def _states(self) -> dict[str, tuple[int, ...]]:
        return {name: file_state(path) for name, path in self._files.items()}


class SecretWatch(Generic[Model]):
    """Takes up secrets whose files (`NAME_FILE`) have changed, without a restart.

    If a file is unreadable or blank, or makes no settings, `on_fault` gets the error once a change, and the previous
    secrets stay in use.
    """

    def __init__(
        self,
        settings: Model,
        names: Iterable[str],
        *,
        on_fault: Callable[[str], None],
        read_anew: ChangedFiles | None = None,
    ) -> None:
        #: Files of secrets that are read wherever they are used.
        self.read_anew = read_anew or ChangedFiles({})
        self._settings = settings
        # A variable of the setting's own name comes before its file.
        given = {name: os.environ.get(_file_setting(name)) for name in names if not os.environ.get(name.upper())}
        self._files = {name: Path(path) for name, path in given.items() if path}
        self._on_fault = on_fault
        self._takers: list[Callable[[Model], Callable[[], None]]] = []
        self._changes = ChangedFiles(self._files)

    def tell(self, taker: Callable[[Model], Callable[[], None]]) -> None:
        """Have changed settings shown to `taker`, which returns what takes them up, or raises SettingsError.

        Nothing is taken up where one of the takers raises.
        """
        self._takers.append(taker)

    def look(self) -> list[str]:
        """Take up what has changed since the last look; return the names of the settings that were."""
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
    """Return what changes with a file: when it was changed last, its size, its inode; () where it cannot be seen."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
