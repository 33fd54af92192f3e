"""Read YAML files of the catalog's folders with JSON's types only, describe faults, and detect changes."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml
from pydantic import BaseModel
from pydantic_core import ErrorDetails
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from app.catalog.fields import nearest
from app.config.environment import FORMS, file_state, removed_setting, text_of_fault
from app.errors import CatalogError, Fault

#: Deeper files are refused before any recursive code reads them.
MAX_YAML_DEPTH = 60

#: Longer files are refused, because parsing would block other requests. The longest shipped file has 32,000 characters.
MAX_YAML_CHARACTERS = 250_000

_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")}


def _fault(message: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=message, problem_mark=mark)


#: PyYAML's wheels all include libyaml; without it, reading is slow.
_WithLibyaml: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class _JsonTypes(Composer, SafeConstructor, Resolver):
    """Reads null, booleans and numbers in JSON's notation; all other scalars are text. Keys are unique; no anchors."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute
    depth = 0

    def _here(self) -> Any:
        return self.peek_event().start_mark  # type: ignore[attr-defined]

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):  # type: ignore[attr-defined]
            raise _fault("aliases (*name) are not supported: write the value again", self._here())
        self.depth += 1
        if self.depth > MAX_YAML_DEPTH:
            raise _fault(f"nested deeper than {MAX_YAML_DEPTH} levels", self._here())
        node = super().compose_node(parent, index)
        if node is not None and node.tag not in _TAGS:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            raise _fault(f"the tag {tag} is not supported: remove it", node.start_mark)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _fault("a key must be text", key.start_mark)
            if key.value in seen:
                raise _fault(f"`{key.value}` is given twice: remove one", key.start_mark)
            key.tag = "tag:yaml.org,2002:str"
            seen.add(key.value)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"-?(0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", list("-0123456789")),
):
    _JsonTypes.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


class _Loader(_JsonTypes, yaml.SafeLoader):
    """Reads with PyYAML itself, which has clearer messages."""


class _FastLoader(_JsonTypes, _WithLibyaml):  # type: ignore[misc]
    """Reads with libyaml, several times as fast."""

    def __init__(self, text: str) -> None:
        _WithLibyaml.__init__(self, text)
        Composer.__init__(self)


def parse_yaml(text: str) -> Any | Fault:
    """Parse a YAML document; a Fault with line and column if it is unreadable."""
    if len(text) > MAX_YAML_CHARACTERS:
        message = (
            f"has {len(text):,} characters, {MAX_YAML_CHARACTERS:,} at most are allowed: split it into several files"
        )
        return Fault(path="", message=message)
    try:
        return yaml.load(text, Loader=_FastLoader)  # noqa: S506 - a SafeLoader with fewer types
    except (yaml.YAMLError, ValueError):
        return _parse_slowly(text)


def compose_yaml(text: str) -> Any:
    """Return the nodes of a YAML document, with their positions in the text, as `parse_yaml` parses it."""
    return yaml.compose(text, Loader=_FastLoader)


#: PyYAML's message about a text that starts with a reserved character.
_UNQUOTED: Final = re.compile(r"found character '([@`])' that cannot start any token")


def _parse_slowly(text: str) -> Any | Fault:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - likewise
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = _UNQUOTED.sub(r"quote the text that begins with \1", exc.problem or exc.context or "")
        return Fault(path="", message=f"not readable YAML: {place}{problem}")
    except (yaml.YAMLError, ValueError) as exc:
        return Fault(path="", message=f"not readable YAML: {exc}")


#: The folder of published versions, inside the folder of the published files: a folder without other files is valid.
VERSIONS: Final = ".versions"

#: A folder, or several, of which a later one replaces files of the same name.
Folders: TypeAlias = str | Path | Sequence[str | Path]


def read_texts(**kinds: Folders) -> list[dict[str, str]]:
    """Read the files of each kind: a dict of text by displayed path, in the order of file names.

    A kind has the name of the setting with its folders: `PRESETS_DIR=...`.

    Raises CatalogError with all unreadable folders and files.
    """
    faults: list[Fault] = []
    texts = [_read_folders(setting, folders, faults) for setting, folders in kinds.items()]
    if faults:
        raise CatalogError(faults)
    return texts


def folders_of(folders: Folders) -> list[Path]:
    """Return a list of the folders."""
    return list(map(Path, [folders] if isinstance(folders, str | Path) else folders))


def _read_folders(setting: str, folders: Folders, faults: list[Fault]) -> dict[str, str]:
    chosen: dict[str, Path] = {}
    for folder in folders_of(folders):
        message = ""
        try:
            found = {path.name: path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"}}
            # A wrong path or a missing mount: all events would silently be unmatched.
            if not found and not (folder / VERSIONS).is_dir():
                message = f"the folder has no YAML file: add one, or remove the folder from {setting}"
            chosen |= found
        except (FileNotFoundError, NotADirectoryError):
            message = f"the folder does not exist: create it, or name another in {setting}"
        except OSError as exc:
            message = f"cannot be read: {exc.strerror}"
        if message:
            faults.append(Fault(path="", message=message, file=str(folder)))
    return {str(path): text for _, path in sorted(chosen.items()) if (text := read_file(path, faults)) is not None}


def read_file(path: Path, faults: list[Fault]) -> str | None:
    """Return the text of a file; `None`, with a fault, if it is unreadable."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8"
        faults.append(Fault(path="", message=f"cannot be read: {reason}", file=str(path)))
        return None


#: By pydantic's name of the error; other errors have pydantic's text.
_WORDS: Final = {
    "missing": "is missing",
    "bool_type": "should be true or false, without quotes",
    "string_type": "should be a text: put it in quotes",
    "int_type": "should be a whole number, without quotes",
    "float_type": "should be a number, without quotes",
    "list_type": "should be a list",
    "tuple_type": "should be a list",
    "dict_type": "should be keys with their values, such as `name: Order`",
    "model_type": "should be keys with their values, such as `name: Order`",
    "too_short": "should have at least {min_length}, not {actual_length}",
    "too_long": "should have at most {max_length}, not {actual_length}",
    "string_pattern_mismatch": "must be {form}",
    "union_tag_invalid": "{discriminator} should be one of {expected_tags}",
    "union_tag_not_found": "{discriminator} is missing",
}
#: The form of a key in a file, unlike the name of a class.
_KEY: Final = re.compile(r"[a-z0-9_]+")
_ITS_OWN: Final = re.compile(r"^(?:Input|String|List|Tuple|Dictionary) should ")


def in_words(fault: ErrorDetails, kind: type[BaseModel]) -> str:
    """Return the message of a fault with its remedy; for a top-level key of the file also its description.

    >>> from pydantic import Field, ValidationError, create_model
    >>> hold = Field(pattern="^[^:]*$", description="The user.")
    >>> model = create_model("M", hold=(str, hold), __config__={"extra": "forbid"})
    >>> def told(**given):
    ...     try:
    ...         model(**given)
    ...     except ValidationError as exc:
    ...         return [in_words(fault, model) for fault in exc.errors()]
    >>> told(hold="a:b"), told(hold="1", hodl=1)
    (['must be a name without a colon: The user.'], ["unknown key: did you mean 'hold'?"])
    """
    name = str(fault["loc"][0]) if len(fault["loc"]) == 1 else ""
    if fault["type"] == "extra_forbidden":
        *parents, key = map(str, fault["loc"])
        if parents == ["settings"] and (removed := removed_setting(key)):
            return removed
        keys = kind.model_fields if name else _names_within(kind)
        return f"unknown key{nearest(key, keys)}"
    if known := _WORDS.get(fault["type"]):
        context = fault.get("ctx", {})
        words = known.format_map(context | {"form": FORMS.get(context.get("pattern", ""))})
    else:
        words = _ITS_OWN.sub("should ", text_of_fault(fault))
    about = kind.model_fields[name].description if name in kind.model_fields else None
    return f"{words}: {about}" if about else words


@cache
def _names_within(kind: type[BaseModel]) -> frozenset[str]:
    """Return the keys of all objects inside a file."""
    objects = kind.model_json_schema().get("$defs", {}).values()
    return frozenset(name for each in objects for name in each.get("properties", ()))


def place(steps: Sequence[int | str], value: Any) -> str:
    """Return the place of a fault in a file's value, as a pointer.

    Steps of the model alone are omitted: the tag of the selected proof, and class names.

    >>> proof = {"kind": "header", "header": "X-Key", "secret": 5}
    >>> place(("proofs", 0, "header", "secret", "SecretFrom"), {"proofs": [proof]}), place(("name",), {}), place((), 1)
    ('/proofs/0/secret', '/name', '')
    """
    pointer = ""
    for number, step in enumerate(steps, 1):
        if not (isinstance(value, dict) or (isinstance(value, list) and isinstance(step, int))):
            continue
        inner = value.get(step) if isinstance(value, dict) else value[step]  # type: ignore[index] # a number, by the above
        is_tag = number < len(steps) and _KEY.fullmatch(str(steps[number])) and not isinstance(inner, dict | list)
        if not is_tag:
            pointer, value = f"{pointer}/{step}", inner
    return pointer


def no_bare_secret(value: Any) -> Any:
    """Return the place of a secret. Raises ValueError if the value is the secret itself."""
    if isinstance(value, str) or (isinstance(value, list) and any(isinstance(each, str) for each in value)):
        raise ValueError("a file must not contain a secret: name its place, {env: NAME} or {file: PATH}")
    return value


class StartedFiles:
    """Compares the YAML files of folders with their state at the start of the process."""

    def __init__(
        self, setting: str, folders: Folders, check: Callable[[], object], *, on_change: Callable[[str], None]
    ) -> None:
        """Use the current files as the running ones.

        `setting` is the variable with the folders. `check` reads the files as a start does, and raises CatalogError if
        a start would fail. `on_change` gets each notice that is not "". Raises CatalogError if a file is unreadable.
        """
        self._setting = setting
        self._folders = folders
        self._check = check
        self._on_change = on_change
        self._running = self._texts()
        self._seen = self._states()
        #: Why a restart is needed, and the faults that would prevent it; "" if none is needed.
        self.notice = ""

    def look(self) -> None:
        """Check files that have changed since the last check."""
        states = self._states()
        if states == self._seen:
            return
        self._seen = states
        before, self.notice = self.notice, self._notice()
        if self.notice not in {"", before}:
            self._on_change(self.notice)

    def _notice(self) -> str:
        try:
            now = self._texts()
        except CatalogError as exc:
            return f"{self._setting}: its files cannot be read, so a restart would fail. {_told(exc)}"
        changed = sorted(Path(path).name for path, _ in self._running.items() ^ now.items())
        if not changed:
            return ""
        files = ", ".join(dict.fromkeys(changed))
        try:
            self._check()
        except CatalogError as exc:
            return f"{self._setting}: changed since the start: {files}. A restart would fail. {_told(exc)}"
        return f"{self._setting}: changed since the start: {files}. Restart to apply it."

    def _texts(self) -> dict[str, str]:
        (texts,) = read_texts(**{self._setting: self._folders})
        return texts

    def _states(self) -> list[tuple[int, ...]]:
        """Return a state that changes with each change of a file, and with each added or deleted file."""
        folders = folders_of(self._folders)
        return [file_state(path) for folder in folders for path in (folder, *sorted(folder.glob("*.y*ml")))]


def _told(exc: CatalogError) -> str:
    return " ".join(map(str, exc.faults))
