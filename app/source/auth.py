"""Authentication of senders: write keys of the Tracking API, and the proofs of named sources and `/webhook`."""

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Self

from app.config.settings import SenderSettings
from app.core.events import DEFAULT_SOURCE
from app.core.refusals import FailedCheck
from app.errors import SettingsError

UNKNOWN_KEY_CHECK: Final = FailedCheck("unknown key", "WRITE_KEYS")
MISSING_KEY_CHECK: Final = FailedCheck("missing key", "WRITE_KEYS")


@dataclass(slots=True, kw_only=True)
class WriteKeys:
    """The current write keys, by name of their source."""

    keys: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def read(cls, texts: Iterable[str]) -> Self:
        """Parse `name:key` pairs. Raises SettingsError."""
        keys: dict[str, bytes] = {}
        for text in texts:
            name, colon, key = text.partition(":")
            if not colon or not name.strip() or not key.strip():
                raise SettingsError("WRITE_KEYS: write each as `name:key`, separated by commas")
            if name.strip() in keys:
                raise SettingsError(f"WRITE_KEYS: two keys are named {name.strip()}; give each its own name")
            keys[name.strip()] = key.strip().encode()
        return cls(keys=keys)

    @classmethod
    def of(cls, settings: SenderSettings) -> Self:
        """Read the write keys of the settings. Raises SettingsError."""
        return cls.read(key.get_secret_value() for key in settings.write_keys)

    def take(self, other: Self) -> None:
        self.keys = other.keys

    def source(self, *offered: Any) -> str | None:
        """Return the name of the source with any of the offered keys; `None` if no key matches."""
        found = None
        for text in offered:
            if isinstance(text, str) and text:
                for name, key in self.keys.items():  # to the end: the duration must not reveal a partial match
                    if hmac.compare_digest(text.encode("utf-8", "replace"), key):
                        found = name
        return found


def proves_authors(settings: SenderSettings, source: str) -> bool:
    """Return whether the events of a source without a file are trusted: those of `/webhook`, or of a write key.

    Without authentication only this machine may send, so its events are trusted.
    """
    if source == DEFAULT_SOURCE:
        return settings.is_webhook_trusted or not settings.authenticated
    return source in settings.trusted_senders


def basic_user(authorization: str | None) -> str | None:
    """Return the user name of Basic authentication, which is the write key: `base64("key:")` or `base64("key")`.

    Return `None` if the header is missing or has another form.
    """
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return None


def basic_credentials(user: str, password: bytes) -> bytes:
    """Return the credentials of Basic authentication for a user with this password.

    >>> basic_credentials("shop", b"secret")
    b'c2hvcDpzZWNyZXQ='
    """
    return base64.b64encode(user.encode() + b":" + password)


class SenderProof(Protocol):
    """A proof that each request of a source must provide."""

    def may_hold(self, headers: Mapping[str, str]) -> bool:
        """Return whether the headers can satisfy the proof, before the body is read."""
        ...

    async def holds(self, raw: bytes, size: int, headers: Mapping[str, str], *, now: float) -> bool:
        """Return whether a request satisfies the proof.

        `size` is the decompressed size of the body in bytes; `now` is in Unix seconds.
        """
        ...

    @property
    def header(self) -> str:
        """Return the header of the proof in lower case, which is hidden from mappings; "" if the proof has none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenProof:
    """The proof of a source that accepts any sender."""

    header: str = ""

    def may_hold(self, *_: object) -> bool:
        return True

    async def holds(self, *_: object, **__: object) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class PageKey(OpenProof):
    """A key in the query of a request. Pages contain the key, so the key identifies no sender."""

    keys: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSecret:
    """A header with a secret: a custom header, a bearer token, or Basic authentication."""

    header: str
    values: tuple[bytes, ...] = field(repr=False)
    #: The text before the secret, in any case: `Bearer` or `Basic`; "" without such a text.
    scheme: str = ""

    @classmethod
    def read(cls, text: str) -> Self:
        """Parse `Name: value` of WEBHOOK_HEADER. Raises SettingsError."""
        name, _, value = text.partition(":")
        if not name.strip() or not value.strip():
            raise SettingsError("WEBHOOK_HEADER: write it as `Name: value`")
        return cls(header=name.strip().lower(), values=(value.strip().encode(),))

    def may_hold(self, headers: Mapping[str, str]) -> bool:
        """Return whether the header has an accepted value."""
        given = headers.get(self.header, "")
        if self.scheme:
            scheme, _, given = given.partition(" ")
            if scheme.lower() != self.scheme.lower():
                return False
        offered = given.encode("latin-1", "replace").strip()  # as bytes: `\xa0` is space in a text, and part of "à"
        return is_any(offered, self.values)

    async def holds(
        self,
        raw: bytes,  # noqa: ARG002 - the Protocol's
        size: int,  # noqa: ARG002 - likewise
        headers: Mapping[str, str],
        *,
        now: float,  # noqa: ARG002 - likewise
    ) -> bool:
        """Check the header again: secrets may have changed while the body arrived."""
        return self.may_hold(headers)


def is_any(offered: bytes, known: Iterable[bytes]) -> bool:
    """Return whether a value is in a list; compares all values, so that the duration reveals no match."""
    found = False
    for each in known:
        found |= hmac.compare_digest(offered, each)
    return found
