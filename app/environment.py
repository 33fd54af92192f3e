"""How settings are written in the environment: lists, secrets, and secrets in files (`NAME_FILE`)."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource


def _split(value: Any) -> Any:
    """Read a text of several, by commas or one a line, as a tuple; anything else is left to pydantic."""
    if not isinstance(value, str):
        return value
    return tuple(filter(None, map(str.strip, value.replace("\n", ",").split(","))))


def _normalised(change: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(lambda values: tuple(map(change, values)))


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
UpperTexts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), _normalised(str.upper)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
FolderPaths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split)]
Country = Annotated[str, Field(pattern="^[A-Za-z]{2}$"), AfterValidator(str.upper)]
Currency = Annotated[str, Field(pattern="^[A-Za-z]{3}$"), AfterValidator(str.upper)]

#: A file as it was seen: path, time of its last change, size, inode. Another one tells that it was changed.
FileState: TypeAlias = tuple[Path, int, int, int]


class SecretFiles(PydanticBaseSettingsSource):
    """Reads `NAME_FILE` for every secret setting that neither an argument nor a variable gives."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Return the text of the setting's file, None where there is none. Raises OSError."""
        path = os.environ.get(f"{field_name.upper()}_FILE") if "SecretStr" in str(field.annotation) else None
        return (Path(path).read_text(encoding="utf-8").strip() if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return what the files hold, by the setting's name."""
        given = self.current_state.keys()  # by arguments or variables, which come before files
        fields = {name: field for name, field in self.settings_cls.model_fields.items() if name not in given}
        found = {name: self.get_field_value(field, name)[0] for name, field in fields.items()}
        return {name: value for name, value in found.items() if value}


def secret_files(model: type[BaseSettings]) -> dict[str, Path]:
    """Return the file of each secret setting that has one and is not given by a variable, which would come first."""
    files = {
        name: os.environ.get(f"{name.upper()}_FILE")
        for name, field in model.model_fields.items()
        if "SecretStr" in str(field.annotation) and not os.environ.get(name.upper())
    }
    return {name: Path(path) for name, path in files.items() if path}


def state_of(path: Path) -> FileState:
    """Return the state of a file. Raises OSError."""
    found = path.stat()
    return path, found.st_mtime_ns, found.st_size, found.st_ino
