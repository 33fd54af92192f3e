"""The content of a source file, from which editors get their JSON Schema."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from app.catalog.files import STRICT, Tests
from app.catalog.yaml_files import no_bare_secret
from app.config.validators import ContentId
from app.errors import Fault, MappingError
from app.mapping import PRODUCT_ID, check_content_id
from app.source.signatures import Algorithm, Encoding

_Header = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$", description="Name of the header, in any case.")]
_Tolerance = Annotated[int, Field(ge=1, le=3_600, description="Seconds that the signed time may be away from now.")]


class SecretFrom(BaseModel):
    """The variable (`env`) or file that has a secret; the secret itself is never in a source's file."""

    model_config = STRICT

    env: str | None = Field(
        None, pattern="^[A-Z][A-Z0-9_]*$", description="A variable; or, as `NAME_FILE`, the file that holds it."
    )
    file: str | None = Field(None, min_length=1, description="A file that holds it.")


def _how_many(secret: Any) -> str:
    """Return the model of a secret, so that faults are reported for that model only."""
    return "list[SecretFrom]" if isinstance(secret, list) else "SecretFrom"


_Secrets = Annotated[
    Annotated[SecretFrom, Tag("SecretFrom")]
    | Annotated[list[SecretFrom], Field(min_length=1, max_length=2), Tag("list[SecretFrom]")],
    Discriminator(_how_many),
    BeforeValidator(no_bare_secret),
    Field(description="The secret; a list of two while it is rotated."),
]


class _OneProof(BaseModel):
    """The base of all proofs in a source's file."""

    model_config = STRICT


class HmacProof(_OneProof):
    """A header has an HMAC of the body."""

    kind: Literal["hmac"]
    header: _Header
    algorithm: Algorithm = Field("sha256", description="The hash of the HMAC.")
    encoding: Encoding = Field("hex", description="How the signature is written.")
    prefix: str = Field("", description="Prefix of the signature, such as `sha256=`.")
    secret: _Secrets


class StandardWebhooksProof(_OneProof):
    """Signed as defined by Standard Webhooks, with id and time."""

    kind: Literal["standard_webhooks"]
    secret: _Secrets
    tolerance_s: _Tolerance = 300


class StripeProof(_OneProof):
    """Signed by Stripe's method, with time."""

    kind: Literal["stripe"]
    secret: _Secrets
    tolerance_s: _Tolerance = 300


class SegmentProof(_OneProof):
    """Signed by the method of Segment's webhooks: `X-Signature`."""

    kind: Literal["segment"]
    secret: _Secrets


class HeaderProof(_OneProof):
    """A header has the secret."""

    kind: Literal["header"]
    header: _Header
    secret: _Secrets


class BearerProof(_OneProof):
    """`Authorization: Bearer` and the secret."""

    kind: Literal["bearer"]
    secret: _Secrets


class BasicProof(_OneProof):
    """Basic authentication; the secret is the password."""

    kind: Literal["basic"]
    user: str = Field(pattern=r"^[^:]*$", description="The user name.")
    secret: _Secrets


class AnyoneProof(_OneProof):
    """Anyone may send: for pages and tags, which cannot store a secret."""

    kind: Literal["anyone"]


class KeyProof(_OneProof):
    """The query of the address has a key, `?key=`, that pages contain: anyone may send, even pages of any origin."""

    kind: Literal["key"]
    secret: _Secrets


ProofFile = Annotated[
    HmacProof
    | StandardWebhooksProof
    | StripeProof
    | SegmentProof
    | HeaderProof
    | BearerProof
    | BasicProof
    | KeyProof
    | AnyoneProof,
    Field(discriminator="kind"),
]


class SourceLimits(BaseModel):
    """Limits of a source; by default those of the settings."""

    model_config = STRICT

    max_body_bytes: int | None = Field(None, ge=1, description="Size of one request, compressed and uncompressed.")
    max_events: int | None = Field(None, ge=1, description="In one request.")
    events_per_minute: int | None = Field(None, ge=1, description="More get status 429.")
    bytes_per_minute: int | None = Field(None, ge=1, description="More get status 429.")


class EventFile(BaseModel):
    """A kind of event that is created from a source's JSON."""

    model_config = STRICT

    name: str = Field(min_length=1, max_length=80, description="For people.")
    subscribe: str = Field(description='Which records it is made of, e.g. headers.x-shopify-topic = "orders/paid".')
    requires: str | None = Field(
        None,
        description="A path that such a record must have, or it is refused: no signature covers the header.",
    )
    each: str | None = Field(
        None,
        min_length=1,
        description="Path of a list, e.g. $.body.refunds: one event for each of its members, `item`.",
    )
    mapping: dict[str, Any] = Field(
        default_factory=dict, description="The Segment event, as values or directives, over the source's `mapping`."
    )


class SourceFile(BaseModel):
    """A source: its authentication, its limits, and its events."""

    model_config = STRICT

    name: str = Field(
        pattern="^[a-z0-9][a-z0-9_-]{0,39}$",
        description="Small letters, digits, - and _: its path is /webhook/NAME, and ledger and receipt show it.",
    )
    description: str = Field("", description="Who sends to this source.")
    kind: Literal["segment", "mapped"] = Field(description="Segment's events as they are, or any JSON.")
    enabled: bool = Field(default=True, description="false withholds all its events.")
    proofs: list[ProofFile] = Field(min_length=1, description="Proofs of each request; all must hold.")
    authors: Literal["server", "browser"] | None = Field(
        None,
        description="Who makes its events: `browser` for relays of what browsers and apps send, else `server`. "
        "Default: `browser` for the kind `segment`, `server` for `mapped`.",
    )
    shop: str = Field("", max_length=80, description="The shop whose orders it sends; sources of one shop share it.")
    consent_categories: list[str] = Field(
        default_factory=list, description="Categories that must be granted, beside CONSENT_CATEGORIES."
    )
    content_id: ContentId | None = Field(None, description="The product id that is sent, instead of CONTENT_ID.")
    amounts: Literal["as_sent"] | None = Field(
        None, description="as_sent sends `revenue` and `value` as they are, even if they include tax or shipping."
    )
    withheld_channels: list[str] = Field(
        default_factory=list, description="Channels of orders, by `order_channel`, that are not sent, e.g. renewal."
    )
    wait_for_page: bool = Field(
        default=True,
        description="Orders of a shop wait for the same order from the page; false sends them at once.",
    )
    limits: SourceLimits | None = Field(None, description="How much it may send.")
    pixel: bool = Field(default=False, description="true accepts GET too, and returns a pixel.")
    named_by: str | None = Field(
        None,
        min_length=1,
        description="Path of a record's name, e.g. $.body.event_name; triggers read it as `name`, in small letters.",
    )
    ping: str | None = Field(
        None,
        min_length=4,
        description="Start of the unsigned body with which a sender tests the address; it gets 200.",
    )
    mapping: dict[str, Any] = Field(default_factory=dict, description="Mapping that all its events share.")
    events: list[EventFile] = Field(default_factory=list, description="Kinds of events; a record may be several.")
    tests: Tests

    @property
    def made_by(self) -> Literal["server", "browser"]:
        """Return the author of its events. If the file does not specify it, Segment's events come through a relay."""
        return self.authors or ("browser" if self.kind == "segment" else "server")

    @property
    def is_trusted(self) -> bool:
        """Return whether a secret authenticates the author of its events."""
        return self.made_by == "server" and any(proof.kind not in {"anyone", "key"} for proof in self.proofs)

    @property
    def has_page_key(self) -> bool:
        """Return whether pages contain its key."""
        return any(proof.kind == "key" for proof in self.proofs)

    @field_validator("content_id")
    @classmethod
    def _is_read(cls, text: str | None) -> str | None:
        try:
            check_content_id(text or PRODUCT_ID)
        except MappingError as exc:
            raise ValueError(exc.faults[0].message) from exc
        return text

    @model_validator(mode="after")
    def _is_whole(self) -> "SourceFile":
        if self.name == "default":
            raise ValueError("`default` is the source that the settings describe: choose another name")
        if self.kind == "mapped" and not self.events:
            raise ValueError("a source of kind `mapped` needs `events`")
        if self.kind == "segment" and (self.events or self.mapping or self.pixel or self.named_by):
            raise ValueError("`events`, `mapping`, `named_by` and `pixel` are for the kind `mapped`")
        return self


#: The first key of a path, if it is a plain name.
_FIRST_KEY: Final = re.compile(r"(?:\$\.)?([A-Za-z_][\w-]*)")
_IN_BRACES: Final = re.compile(r"\{\{+\s*([^{}]+?)\s*\}+")
#: Directives in which paths start at the directive's own value.
_OF_THEIR_OWN: Final[Mapping[str, int | str]] = {"@arrayPath": 1, "@each": 1, "@transform": "mapping"}


def unknown_path_faults(value: Any, known: Iterable[str], at: str) -> Iterator[Fault]:
    """Yield a fault for each path of a mapping whose first key is not in `known`.

    >>> [fault.message for fault in unknown_path_faults({"@path": "$.total"}, ["body", "ip"], "")]
    ['a record has no `total`, only body and ip: write $.body.total']
    """
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        for path in _paths(key, inner):
            first = _FIRST_KEY.match(path)
            if first and first[1] not in known:
                *others, last = known
                only = f"only {', '.join(others)} and {last}: write $.body.{path.removeprefix('$.')}"
                yield Fault(f"{at}/{key}", f"a record has no `{first[1]}`, {only}")
        if key != "@literal":
            yield from unknown_path_faults(_from_the_record(key, inner), known, f"{at}/{key}")


def _from_the_record(key: Any, value: Any) -> Any:
    """Return the part of a directive's options whose paths start at the record."""
    inside = _OF_THEIR_OWN.get(key)
    if isinstance(value, list) and isinstance(inside, int):
        return value[:inside]
    return {name: each for name, each in value.items() if name != inside} if isinstance(value, dict) else value


def _paths(key: Any, value: Any) -> list[str]:
    """Return the paths of a directive itself."""
    if key == "@path" and isinstance(value, str):
        return [value.strip()]
    return _IN_BRACES.findall(value) if key == "@template" and isinstance(value, str) else []
