"""The running named sources and their secrets: loaded at start-up, replaced as a whole by a reload."""

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from app.catalog import source_files as files
from app.catalog.catalog import generation_of
from app.catalog.fields import nearest
from app.catalog.presets import in_file, parse_file, parse_files
from app.catalog.reshaping import Reshaping, compile_reshaping
from app.catalog.source_files import SourceFile
from app.catalog.yaml_files import Folders, read_texts
from app.config.environment import NONE, file_state
from app.config.settings import ConsentSettings
from app.errors import CatalogError, Fault
from app.source import NamedSource
from app.source.auth import HeaderSecret, OpenProof, PageKey, SenderProof, basic_credentials
from app.source.body import Limits
from app.source.named_sources import AS_SENT
from app.source.rate_limits import Quota
from app.source.signatures import (
    HmacSignature,
    SegmentSignature,
    StandardWebhooksSignature,
    StripeSignature,
    standard_key,
)

#: A limit per minute that is never reached.
_NO_BOUND = 10**15

Sources: TypeAlias = Mapping[str, NamedSource]


class SourceSecrets:
    """Reads secrets, and detects changes of files with secrets."""

    def __init__(self, environ: Mapping[str, str] = os.environ, *, min_characters: int = 1) -> None:
        """Use the environment, and a minimum length of secrets, because strangers may guess them."""
        self._environ = environ
        self._min_characters = min_characters

    def proofs(self, spec: files.SourceFile) -> tuple[tuple[SenderProof, ...], list[Fault]]:
        """Return the proofs of a source, and a fault for every unreadable secret. No fault contains a value."""
        faults: list[Fault] = []
        found = []
        for number, proof in enumerate(spec.proofs):
            secrets = self._secrets(proof, f"/proofs/{number}/secret", faults)
            found.append(_proof(proof, secrets))
            if isinstance(proof, files.StandardWebhooksProof) and any(standard_key(each) is None for each in secrets):
                faults.append(Fault(f"/proofs/{number}/secret", "is not base64, with `whsec_` before it or without"))
        return tuple(found), faults

    def states(self, specs: Iterable[files.SourceFile]) -> list[tuple[int, ...]]:
        """Return a state that changes with the files of these sources' secrets."""
        given = [each for spec in specs for proof in spec.proofs for each in _places(proof)]
        return [file_state(path) for path in map(self._file, given) if path is not None]

    def _file(self, place: files.SecretFrom) -> Path | None:
        """Return the file of a secret; `None` if a variable has the secret."""
        if place.file is not None:
            return Path(place.file)
        path = self._environ.get(f"{place.env}_FILE")
        return Path(path) if path else None

    def _secrets(self, proof: files.ProofFile, at: str, faults: list[Fault]) -> tuple[bytes, ...]:
        found = []
        for place in _places(proof):
            if (place.env is None) == (place.file is None):
                faults.append(Fault(at, "give `env` or `file`"))
                continue
            if place.env and self._environ.get(place.env) and self._environ.get(f"{place.env}_FILE"):
                faults.append(Fault(at, f"{place.env} and {place.env}_FILE are both set: remove one of the two"))
                continue
            try:
                path = self._file(place)
                text = path.read_text(encoding="utf-8") if path else self._environ.get(place.env or "", "")
            except (OSError, UnicodeDecodeError) as exc:
                reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8"
                faults.append(Fault(at, f"cannot be read: {path}: {reason}"))
                continue
            if not text.strip():
                where = f"set {place.env} or {place.env}_FILE" if place.env else f"{place.file} is empty"
                faults.append(Fault(at, f"is missing: {where}"))
            elif len(text.strip()) < self._min_characters:
                faults.append(
                    Fault(at, f"must have {self._min_characters} characters or more: anyone can try to guess it")
                )
            else:
                found.append(text.strip().encode())
        return tuple(found)


def _places(proof: files.ProofFile) -> list[files.SecretFrom]:
    if isinstance(proof, files.AnyoneProof):
        return []
    return proof.secret if isinstance(proof.secret, list) else [proof.secret]


def _proof(proof: files.ProofFile, secrets: tuple[bytes, ...]) -> SenderProof:
    if isinstance(proof, files.AnyoneProof):
        return OpenProof()
    if isinstance(proof, files.KeyProof):
        return PageKey(keys=secrets)
    if isinstance(proof, files.HeaderProof):
        return HeaderSecret(header=proof.header.lower(), values=secrets)
    if isinstance(proof, files.BearerProof):
        return HeaderSecret(header="authorization", scheme="Bearer", values=secrets)
    if isinstance(proof, files.BasicProof):
        values = tuple(basic_credentials(proof.user, secret) for secret in secrets)
        return HeaderSecret(header="authorization", scheme="Basic", values=values)
    return _signature(proof, secrets)


def _signature(
    proof: files.HmacProof | files.SegmentProof | files.StandardWebhooksProof | files.StripeProof,
    secrets: tuple[bytes, ...],
) -> SenderProof:
    if isinstance(proof, files.SegmentProof):
        return SegmentSignature(secrets=secrets)
    if isinstance(proof, files.StandardWebhooksProof):
        return StandardWebhooksSignature(secrets=secrets, tolerance_s=proof.tolerance_s)
    if isinstance(proof, files.StripeProof):
        return StripeSignature(secrets=secrets, tolerance_s=proof.tolerance_s)
    return HmacSignature(
        header=proof.header.lower(),
        algorithm=proof.algorithm,
        encoding=proof.encoding,
        prefix=proof.prefix,
        secrets=secrets,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSources:
    """The sources that the files describe, read and checked."""

    #: The sources' files by displayed path.
    specs: Mapping[str, SourceFile]
    sources: Sources
    #: Changes with the texts of the files.
    generation: str

    def to_test(self) -> list[tuple[str, SourceFile, NamedSource]]:
        return [(file, spec, self.sources[spec.name]) for file, spec in self.specs.items()]


class RunningSources:
    """Reads the files of sources, and passes them to the receivers."""

    def __init__(
        self,
        folders: Folders,
        secrets: SourceSecrets,
        limits: Limits,
        *,
        names: Collection[str] = (),
        taken: Collection[str] = (),
        on_fault: Callable[[str], None],
    ) -> None:
        """Load the sources of the folders, or only those in `names`. `limits` are the defaults of the files.

        `taken` are the names of sources without a file, those of write keys.

        `on_fault` gets the reason if changed secrets are not loaded. Raises CatalogError with all faults of all files.
        """
        self._folders = folders
        self._secrets = secrets
        self._limits = limits
        self._names = frozenset(names)
        self._taken = frozenset(taken)
        self._on_fault = on_fault
        #: Called with the sources after each change.
        self.on_change: Callable[[Sources], None] = lambda _: None
        self._loaded = self.load()
        self._seen = self._states()

    @property
    def generation(self) -> str:
        """Return a digest of the texts of the running files."""
        return self._loaded.generation

    @property
    def sources(self) -> Sources:
        return self._loaded.sources

    def to_test(self) -> list[tuple[str, SourceFile, NamedSource]]:
        return self._loaded.to_test()

    def load(self) -> LoadedSources:
        """Read the files again, without using them yet. Raises CatalogError."""
        (texts,) = read_texts(SOURCES_DIR=self._folders)
        faults: list[Fault] = []
        wanted = {file: text for file, text in texts.items() if not self._names or Path(file).stem in self._names}
        specs = parse_files(SourceFile, wanted, faults)
        faults.extend(_faults_between(specs, self._names, {Path(file).stem for file in texts}))
        told = "a write key of WRITE_KEYS has this name: rename one, so that their events can be told apart"
        faults.extend(Fault("/name", told, file=file) for file, spec in specs.items() if spec.name in self._taken)
        sources = self._compiled(specs, faults)
        if faults:
            raise CatalogError(faults)
        return LoadedSources(specs=specs, sources=sources, generation=generation_of(wanted))

    def use(self, loaded: LoadedSources) -> None:
        """Use the loaded files from now on."""
        self._loaded = loaded
        self._seen = self._states()
        self.on_change(loaded.sources)

    def look(self) -> bool:
        """Load changed files of secrets, and return whether any changed.

        If any secret is invalid, all stay unchanged.
        """
        states = self._states()
        if states == self._seen:
            return False
        self._seen = states
        faults: list[Fault] = []
        sources = self._compiled(self._loaded.specs, faults)
        if faults:
            self._on_fault("\n".join(map(str, faults)))
        else:
            self.use(replace(self._loaded, sources=sources))
        return not faults

    def _states(self) -> list[tuple[int, ...]]:
        return self._secrets.states(self._loaded.specs.values())

    def _compiled(self, specs: Mapping[str, SourceFile], faults: list[Fault]) -> Sources:
        sources: dict[str, NamedSource] = {}
        for file, spec in specs.items():
            proofs, about_secrets = self._secrets.proofs(spec)
            reshaping, about_events = compile_reshaping(spec)
            faults.extend(in_file(file, (*about_secrets, *about_events)))
            sources[spec.name] = _source(spec, proofs, reshaping, self._limits)
        return sources


def _source(
    spec: SourceFile, proofs: tuple[SenderProof, ...], reshaping: Reshaping | None, limits: Limits
) -> NamedSource:
    consent = ConsentSettings.model_construct(consent_categories=tuple(spec.consent_categories), integration_names=NONE)
    return NamedSource(
        name=spec.name,
        proofs=proofs,
        limits=_limits_of(spec, limits),
        reshape=reshaping if spec.kind == "mapped" else None,
        consent=consent if spec.consent_categories else None,
        takes_pixels=spec.pixel,
        ping=spec.ping.encode() if spec.ping else None,
        quota=_quota(spec),
        is_off=not spec.enabled,
        content_id=spec.content_id,
        authors=spec.made_by,
        shop=spec.shop,
        withheld_channels=frozenset(each.lower() for each in spec.withheld_channels),
        sends_amounts_as_sent=spec.amounts == AS_SENT,
        wait_for_page=spec.wait_for_page,
        secret_names=tuple(", ".join(each.env or each.file or "" for each in _places(proof)) for proof in spec.proofs),
        reads_query=_reads_query(
            [spec.named_by, spec.mapping, *([e.subscribe, e.requires, e.each, e.mapping] for e in spec.events)]
        ),
    )


#: A path, a condition or a template that reads the parameters of a request.
_OF_QUERY = re.compile(r"\$\.query\b|(?<![\w.$-])query[.\[]")


def _reads_query(value: Any) -> bool:
    """Return whether a source's file reads the query."""
    if isinstance(value, str):
        return _OF_QUERY.search(value) is not None
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_reads_query, inner))


def _limits_of(spec: SourceFile, limits: Limits) -> Limits:
    given = spec.limits
    if given is None:
        return limits
    return replace(
        limits,
        max_body_bytes=given.max_body_bytes or limits.max_body_bytes,
        max_decompressed_bytes=given.max_body_bytes or limits.max_decompressed_bytes,
        max_events=given.max_events or limits.max_events,
    )


def load_source(folders: Folders, name: str) -> NamedSource:
    """Return a source by the name of its file, for tests of requests.

    Raises CatalogError if it does not exist or has faults.
    """
    return read_source(folders, name)[1]


def read_source(folders: Folders, name: str) -> tuple[SourceFile, NamedSource]:
    """Return the content of a source's file, and the source, without secrets and so untrusted.

    Raises CatalogError if it does not exist or has faults.
    """
    (texts,) = read_texts(SOURCES_DIR=folders)
    file = next((file for file in texts if Path(file).stem == name), None)
    if file is None:
        raise CatalogError(_faults_between({}, [name], {Path(file).stem for file in texts}))
    return untrusted_source(file, texts[file])


def untrusted_source(file: str, text: str) -> tuple[SourceFile, NamedSource]:
    """Return the content of a source file's text, and the source without secrets. Raises CatalogError."""
    spec, found = parse_file(SourceFile, text)
    reshaping, more = compile_reshaping(spec) if spec else (None, [])
    if spec is None or found or more:
        raise CatalogError(in_file(file, [*found, *more]))
    return spec, _source(spec, (), reshaping, Limits.of_no_stranger())


def _quota(spec: SourceFile) -> Quota | None:
    if spec.limits is None:
        return None
    events, size = spec.limits.events_per_minute, spec.limits.bytes_per_minute
    return Quota(events=events or _NO_BOUND, bytes=size or _NO_BOUND) if events or size else None


def _faults_between(specs: Mapping[str, SourceFile], names: Collection[str], stems: Collection[str]) -> list[Fault]:
    """Return faults between several files, and names of SOURCES that are not among the `stems` of the files."""
    faults = [
        Fault(path="", message=f"SOURCES: there is no file {name}.yaml in the folders of sources{nearest(name, stems)}")
        for name in sorted({*names} - {*stems})
    ]
    homes: dict[str, str] = {}
    for file, spec in specs.items():
        if spec.name in homes:
            remedy = f"another source is named {spec.name!r} too, in {homes[spec.name]}: rename one"
            faults.append(Fault(path="/name", message=remedy, file=file))
        homes[spec.name] = file
    return faults
