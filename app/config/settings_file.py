"""Settings in a file of the current folder: `NAME=value` lines, as for systemd and containers."""

import json
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final

from dotenv.parser import parse_stream
from pydantic.fields import FieldInfo

from app.config.environment import removed_setting, without_file_suffix
from app.config.settings import Settings, setting_names
from app.errors import SettingsError

#: `pinrelay init` creates the file.
SETTINGS_FILE: Final = "pinrelay.env"

_HEAD: Final = f"""\
# Settings of Pinrelay. Every `pinrelay` command run in this folder reads this file, {SETTINGS_FILE}.
# Environment variables override it. Each setting is listed with its default: remove the # to change it.
# A secret can be in a separate file: PINTEREST_CONVERSION_TOKEN_FILE=/etc/pinrelay/token
"""


def take_settings_file(path: Path, environ: MutableMapping[str, str]) -> None:
    """Add the settings of the file to `environ`, unless they are set; without a file, do nothing.

    Raises SettingsError with the number of every line that is invalid or has an unknown setting. Values are never
    shown.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            lines = list(parse_stream(stream))
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise SettingsError(f"cannot read {path}: {why}. Make it readable, or move it away") from exc
    # U+0000 ends a text in the environment.
    bad = [each for each in lines if each.error or (each.key and (each.value is None or "\0" in each.key + each.value))]
    if bad:
        raise SettingsError("\n".join(f"{path}: line {each.original.line}: write NAME=value" for each in bad))
    # NAME in the environment overrides NAME_FILE in the file, and vice versa.
    given = {without_file_suffix(name) for name, value in environ.items() if value}
    for each in lines:
        if each.key and each.value and without_file_suffix(each.key) not in given:
            environ[each.key] = each.value
    names = {each.key: each.original.line for each in lines if each.key}
    removed = [
        (each.original.line, f"{each.key} {found} Remove the line")
        for each in lines
        if each.key and each.value and (found := removed_setting(each.key))
    ]
    if unknown := sorted([*removed, *setting_names().unknown_lines(names, environ)]):
        raise SettingsError("\n".join(f"{path}: line {line}: {told}" for line, told in unknown))


def refuse_removed(environ: Mapping[str, str]) -> None:
    """Raise SettingsError if the environment has a value for a removed setting."""
    if removed := setting_names().removed(environ):
        raise SettingsError("\n".join(removed))


def settings_file_text() -> str:
    """Return a file with every setting as a comment, with its description and default."""
    return "\n".join([_HEAD, *_commented()])


def fields_by_use() -> list[tuple[str, FieldInfo]]:
    """Return name and declaration of every setting, the rarer ones last."""
    own = Settings.__annotations__  # the rarer settings belong to its parents
    return sorted(Settings.model_fields.items(), key=lambda item: item[0] not in own)


def _commented() -> Iterator[str]:
    for name, field in fields_by_use():
        yield f"# {field.description}\n#{name.upper()}={default_text(field.default)}\n"


def default_text(value: Any) -> str:
    """Return a setting's value in the notation of the environment; "" for `None` and empty values."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return json.dumps(value) if isinstance(value, bool | int | float) else str(value or "")
