"""Ad accounts as files: each file is a destination, checked as strictly as presets.

destinations/us.yaml     name, ad account, place of the token, sources, presets, and individual settings
"""

from collections import Counter
from collections.abc import Collection, Mapping
from copy import copy
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator

from app.catalog.fields import nearest
from app.catalog.presets import parse_files
from app.catalog.yaml_files import Folders, no_bare_secret, read_texts
from app.config.settings import AccountSettings
from app.errors import CatalogError, Fault

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


def _as_tuple(value: Any) -> Any:
    """Convert YAML's list to a tuple; pydantic validates other values."""
    return tuple(value) if isinstance(value, list) else value


def _as_digits(value: Any) -> Any:
    """Convert unquoted digits, which YAML reads as a number, to text."""
    return str(value) if type(value) is int else value


_Names: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_as_tuple), Field(min_length=1)]


def _own(name: str) -> tuple[Any, Any]:
    """Return the annotation and the field of a setting, as an optional field."""
    field = copy(AccountSettings.model_fields[name])
    annotation = field.annotation
    field.default = None
    return Annotated[annotation, BeforeValidator(_as_tuple)], field


_FIELDS: dict[str, Any] = {name: _own(name) for name in AccountSettings.model_fields}
_OwnSettings = create_model(
    "OwnSettings",
    __config__=_STRICT,
    __doc__="Settings that differ from those of the process, by their names in lower case.",
    **_FIELDS,
)


class TokenPlace(BaseModel):
    """The place of the conversion token, which is never in the file itself."""

    model_config = _STRICT

    env: str | None = Field(None, min_length=1, description="Name of the environment variable that holds it.")
    file: str | None = Field(None, min_length=1, description="Path of a file that holds it, read anew for each call.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("set either `env` or `file`")
        return self


class DestinationFile(BaseModel):
    """A destination: an ad account, its events, and its settings."""

    model_config = _STRICT

    name: str = Field(min_length=1, max_length=80, description="Shown in receipts, the console and metrics; unique.")
    ad_account_id: Annotated[str, BeforeValidator(_as_digits)] = Field(
        pattern=r"^\d{1,18}$", description="Pinterest's id of the ad account: digits; unique."
    )
    mode: Literal["live", "sandbox"] = Field("live", description="sandbox sends to the built-in sandbox instead.")
    token: Annotated[TokenPlace | None, BeforeValidator(no_bare_secret)] = Field(
        None, description="Where its conversion token is; a sandbox needs none."
    )
    sources: _Names | None = Field(None, description="Only events of these sources; without: of all.")
    presets: _Names | None = Field(None, description="Only these presets, by name; without: all.")
    enabled: bool = Field(
        default=True, description="false removes the ad account: Pinrelay accepts and sends nothing for it."
    )
    settings: BaseModel

    @model_validator(mode="after")
    def _live_needs_a_token(self) -> Self:
        if self.mode == "live" and self.token is None:
            raise ValueError("`token` is missing: name its place, or set `mode: sandbox`")
        return self

    @property
    def own_settings(self) -> dict[str, Any]:
        """Return the settings in the file, by name."""
        return self.settings.model_dump(exclude_unset=True)


#: The model of a file: a DestinationFile with optional settings.
CHECKED = create_model(
    "DestinationFile",
    __base__=DestinationFile,
    __doc__=DestinationFile.__doc__,
    settings=(
        _OwnSettings,
        Field(default_factory=_OwnSettings, description="Settings that differ from those of the process."),
    ),
)


def load_destinations(folders: Folders) -> dict[str, DestinationFile]:
    """Read and check all files; of several folders, a later one replaces files of the same name.

    Returns the content of each file by displayed path, including those that are not enabled. Raises CatalogError with
    all faults of all files.
    """
    (texts,) = read_texts(DESTINATIONS_DIR=folders)
    faults: list[Fault] = []
    files = parse_files(CHECKED, texts, faults)
    faults.extend(_told_twice(files, "name"))
    faults.extend(_told_twice(files, "ad_account_id"))
    if files and not faults and not any(spec.enabled for spec in files.values()):
        faults.append(Fault(path="/enabled", message="no destination is enabled: enable one", file=next(iter(files))))
    if faults:
        raise CatalogError(faults)
    return files


def _told_twice(files: Mapping[str, DestinationFile], field: str) -> list[Fault]:
    values = Counter(getattr(spec, field) for spec in files.values())
    return [
        Fault(path=f"/{field}", message="another destination has the same value: each needs its own", file=path)
        for path, spec in files.items()
        if values[getattr(spec, field)] > 1
    ]


def faults_of_names(
    files: Mapping[str, DestinationFile], member: Literal["presets", "sources"], known: Collection[str]
) -> list[Fault]:
    """Return a fault for each unknown preset, or source, that a destination names."""
    kind = member.removesuffix("s")
    those = f": there are {', '.join(sorted(known))}" if member == "sources" else ": `pinrelay check` lists all"
    return [
        Fault(
            path=f"/{member}/{place}", message=f"there is no {kind} {name!r}{nearest(name, known) or those}", file=path
        )
        for path, spec in files.items()
        for place, name in enumerate(getattr(spec, member) or ())
        if name not in known
    ]
