"""The declaration of an operation. Command, API route, console page, role check and audit entry derive from it."""

import csv
import io
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from enum import StrEnum
from importlib import import_module
from inspect import getdoc
from operator import attrgetter
from typing import Annotated, Any, Final, Literal, TypeAlias, get_type_hints

from pydantic import (
    AfterValidator,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from app.access.audit import Audit, conditions_text
from app.access.users import Person, UserRole
from app.catalog import Catalog
from app.config import Settings
from app.config.environment import text_of_fault
from app.core.pages import AuditAction
from app.core.values.times import at_second
from app.errors import Forbidden
from app.operations import GROUPS
from app.outbox import Outbox
from app.pipeline.replay import Replaying
from app.pipeline.search import Finder

#: Parameters that the audit entry does not list as conditions.
_NO_CONDITIONS: Final = frozenset({"all", "because", "dry_run"})


class Surface(StrEnum):
    """A surface that offers operations."""

    COMMAND = "command"
    API = "api"
    CONSOLE = "console"


class Params(BaseModel):
    """The parameters of an operation, the same on each surface. Errors never contain the value.

    `json_schema_extra` of a field may have these keys. `x-argument`: a command reads the value by position.
    `x-personal`: the value is personal data; the operation is POST in the API, and the audit entry and the log omit the
    value. `x-complete`: the names that shell completion offers, `presets`, `sources` or `accounts`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _name_parameters(cls, given: Any) -> Any:
        if isinstance(given, dict) and (unknown := [name for name in given if name not in cls.model_fields]):
            raise ValueError(f'There is no "{unknown[0][:40]}". There are: {", ".join(cls.model_fields)}.')
        return given


def _check_text(text: str | None, field: ValidationInfo) -> str | None:
    if text is not None and not text.strip():
        raise ValueError(f'The filter "{field.field_name}" is empty: leave it out, or give it a value.')
    return text


#: An empty text is refused, because it would match everything. Python strips U+001C to U+001F and U+0085 too.
TextFilter: TypeAlias = Annotated[
    str | None,
    AfterValidator(_check_text),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": r"[^\s\u001c-\u001f\u0085]"}, {"type": "null"}]}),
]


class Paged(Params):
    """The page of a list."""

    cursor: str | None = Field(
        default=None,
        pattern="^-?[0-9]{1,20}$",
        description="`next_cursor` of the previous page; in some lists also `prev_cursor` of the next page.",
    )
    limit: int = Field(default=50, ge=1, le=500, description="Maximum number of rows.")


def _demand_in_schema(schema: dict[str, Any], model: type[BaseModel]) -> None:
    filters = [name for name in model.model_fields if name not in _NO_CONDITIONS]
    schema["anyOf"] = [
        *({"required": [name], "properties": {name: {"type": "string"}}} for name in filters),
        {"required": ["all"], "properties": {"all": {"const": True}}},
    ]


class Selection(Params):
    """At least one filter, or `all`. The other parameters of a subclass are filters."""

    model_config = ConfigDict(json_schema_extra=_demand_in_schema)

    all: bool = Field(default=False, strict=True, description="Everything, in place of a filter.")

    @model_validator(mode="after")
    def _demand_a_filter(self) -> "Selection":
        filters = type(self).model_fields.keys() - _NO_CONDITIONS
        if not self.all and all(getattr(self, name) is None for name in filters):
            raise ValueError("Give at least one filter, or `all`.")
        return self


def member(*path: str, **more: Any) -> Any:
    """Return the field of a result that is read from this place of a record."""
    return Field(validation_alias=AliasPath(*path), **more)


class Result(BaseModel):
    """The result of an operation that changes something: counts, with a description of each."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The objects that operations use. A server creates them once, a command for each run.

    A group adds the objects that it needs. An object that is expensive to create is a function that returns the object.
    """

    settings: Settings
    outbox: Outbox
    finder: Finder
    #: Writes entries; its clock returns Unix seconds.
    audit: Audit
    #: Returns the presets that run.
    catalog: Callable[[], Catalog]
    #: Returns the access to the quarantine. Raises FeatureOff.
    replaying: Callable[[], Awaitable[Replaying]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of an operation: the person, and the services."""

    person: Person
    services: Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a list, the same in tables of commands, in CSV and in the console."""

    #: The attribute of a row, or a path such as `nearest.preset`.
    name: str
    title: str
    kind: Literal["text", "time", "number", "money", "state", "id"] = "text"
    #: The filter of the list that a value of this column can be given to, or `hour`; "" if there is none.
    group: str = ""


#: A spreadsheet runs a cell that begins with one of these as a formula.
_FORMULA: Final = ("=", "+", "-", "@")


def cell_text(column: Column, row: Any) -> str:
    """Return the value of a row as text; times are in UTC."""
    value = attrgetter(column.name)(row)
    if column.kind == "money" and value is not None and row.currency:
        return f"{value} {row.currency}"
    if column.kind == "time" and value is not None:
        return at_second(value).removesuffix(" UTC")
    return value_text(value)


def value_text(value: Any) -> str:
    """Return a value as text: items and filled members separated by semicolons; "" for `None`."""
    if isinstance(value, tuple | list):
        return "; ".join(map(str, value))
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {each}" for name, each in value.items() if each not in (None, ""))
    return "" if value is None else str(value)


def csv_text(columns: Sequence[Column], rows: Iterable[Any], *, has_head: bool) -> str:
    """Return rows as CSV; a cell that a spreadsheet would run gets an apostrophe."""
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    if has_head:
        writer.writerow([each.name for each in columns])
    for row in rows:
        texts = [cell_text(each, row) for each in columns]
        writer.writerow([f"'{text}" if text.startswith(_FORMULA) else text for text in texts])
    return written.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation. Call it with a `Call` and its parameters."""

    #: Group and verb, such as `deliveries redrive`; or the verb alone, such as `audit`, which is then its own group.
    name: str
    #: The docstring of the function.
    text: str
    #: The role that a call needs; a dry run needs no more than VIEWER.
    role: UserRole
    params: type[Params]
    result: Any
    run: Callable[[Call, Any], Awaitable[Any]]
    #: Of a list: the attribute of the result that has the rows, and the columns.
    rows: str = ""
    columns: tuple[Column, ...] = ()
    #: The audit entry of a call; `None` if a call changes nothing.
    audit: AuditAction | None = None
    #: Parameters for documentation and tests.
    example: Mapping[str, Any] = field(default_factory=dict)
    #: Surface -> why the surface does not offer the operation.
    excluded: Mapping[Surface, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        return self.name.partition(" ")[0]

    @property
    def verb(self) -> str:
        return self.name.partition(" ")[2]

    @property
    def summary(self) -> str:
        """The first sentence of the text."""
        return self.text.partition("\n")[0]

    @property
    def personal_names(self) -> frozenset[str]:
        """The names of the parameters that are personal data."""
        return frozenset(name for name in self.params.model_fields if self.trait(name, "x-personal"))

    @property
    def method(self) -> Literal["GET", "POST"]:
        """The HTTP method: POST for a change, and for a personal parameter, which must not be in an address."""
        return "POST" if self.audit or self.personal_names else "GET"

    def trait(self, name: str, key: str) -> Any:
        """Return the value of a key in `json_schema_extra` of a parameter, or `None`."""
        extra = self.params.model_fields[name].json_schema_extra
        return extra.get(key) if isinstance(extra, dict) else None

    @property
    def flags(self) -> frozenset[str]:
        """The names of the parameters that are true or false."""
        return frozenset(name for name, field in self.params.model_fields.items() if field.annotation is bool)

    @property
    def operation_id(self) -> str:
        """The id in the OpenAPI document."""
        return self.name.replace(" ", "_").replace("-", "_")

    async def __call__(self, call: Call, params: Params) -> Any:
        """Check the role, run the function, and write the audit entry. Raises Forbidden."""
        is_dry = getattr(params, "dry_run", False)
        if self.role is UserRole.OPERATOR and not is_dry and not call.person.may_operate:
            raise Forbidden
        result = await self.run(call, params)
        if self.audit and not is_dry:
            await call.services.audit.note(
                call.person, self.audit, target=self._target(params), before=getattr(result, "before", ""),
                after=_after(result, params),
            )  # fmt: skip
        return result

    def _target(self, params: Params) -> str:
        given = params.model_dump(mode="json", exclude_defaults=True, exclude={*self.personal_names, *_NO_CONDITIONS})
        conditions = conditions_text(given, {"delivery_id": "delivery", "ad_account_id": "ad account"})
        return ", ".join(conditions) or "all"


def _after(result: Any, params: Params) -> str:
    because = getattr(params, "because", "")
    counts = getattr(result, "after", "") or ", ".join(f"{count} {name}" for name, _, count in counts_of(result))
    return f"{counts}: {because}" if because else counts


def counts_of(result: Any) -> list[tuple[str, str, int]]:
    """Return the counts of a result that are not 0, or else the first count: name, description and number."""
    fields = type(result).model_fields if isinstance(result, BaseModel) else {}
    counts = [
        (name.replace("_", " "), field.description or "", count)
        for name, field in fields.items()
        if field.annotation is int and (count := getattr(result, name)) is not None
    ]
    return [each for each in counts if each[2]] or counts[:1]


def counts_text(result: Any) -> list[str]:
    """Return the counts of a result as lines."""
    return [f"{count} {name}{f': {text}' if text else ''}" for name, text, count in counts_of(result)]


def plain(value: Any) -> dict[str, Any]:
    """Return a record as a dictionary for JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    found: dict[str, Any] = value.model_dump(mode="json")
    return found


def faults_of(error: ValidationError) -> list[tuple[str, str]]:
    """Return the parameter and the text of each error; the parameter is "" if the error concerns several."""
    return [
        (".".join(map(str, each["loc"])), text_of_fault(each))
        for each in error.errors(include_input=False, include_url=False)
    ]


def read_texts(operation: Operation, texts: Mapping[str, str]) -> Any:
    """Return parameters from the texts of a form or an address; `true` sets a flag. Raises ValidationError."""
    return operation.params.model_validate(
        {name: text == "true" if name in operation.flags else text for name, text in texts.items()}
    )


OPERATIONS: Final[dict[str, Operation]] = {}


def operation(name: str, *, role: UserRole, **more: Any) -> Callable[[Callable[..., Awaitable[Any]]], Operation]:
    """Register a function. Its annotations give the parameter model and the result model."""

    def register(run: Callable[..., Awaitable[Any]]) -> Operation:
        hints = get_type_hints(run)
        OPERATIONS[name] = Operation(
            name=name,
            text=getdoc(run) or "",
            role=role,
            params=hints["params"],
            result=hints["return"],
            run=run,
            **more,
        )
        return OPERATIONS[name]

    return register


def operations_of(group: str) -> list[Operation]:
    """Import a group, and return its operations."""
    import_module(f"app.operations.{group}")
    return [each for each in OPERATIONS.values() if each.group == group]


def all_operations() -> list[Operation]:
    """Import all groups, and return all operations."""
    return [each for group in GROUPS for each in operations_of(group)]
