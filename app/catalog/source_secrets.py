"""The secrets that sources' files name, read from the environment or from files, and when those have changed."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from app.catalog import source_files as files
from app.config.environment import file_state
from app.errors import Fault
from app.source import (
    HeaderSecret,
    HmacSignature,
    OpenProof,
    SegmentSignature,
    SenderProof,
    StandardWebhooksSignature,
    StripeSignature,
    basic_credentials,
    standard_key,
)


class SourceSecrets:
    """Reads secrets; those of files are known to have changed."""

    def __init__(self, environ: Mapping[str, str] = os.environ, *, min_characters: int = 1) -> None:
        """Take the environment, and how long a secret must be at least, since strangers may try it."""
        self._environ = environ
        self._min_characters = min_characters

    def proofs(self, spec: files.SourceFile) -> tuple[tuple[SenderProof, ...], list[Fault]]:
        """Return what requests of a source must prove, and every secret that cannot be read. No value is told."""
        faults: list[Fault] = []
        found = []
        for number, proof in enumerate(spec.proofs):
            secrets = self._secrets(proof, f"/proofs/{number}/secret", faults)
            found.append(_proof(proof, secrets))
            if isinstance(proof, files.StandardWebhooksProof) and any(standard_key(each) is None for each in secrets):
                faults.append(Fault(f"/proofs/{number}/secret", "is not base64, with `whsec_` before it or without"))
        return tuple(found), faults

    def states(self, specs: Iterable[files.SourceFile]) -> list[tuple[int, ...]]:
        """Return what changes where one of the files does that hold secrets of these sources."""
        given = [each for spec in specs for proof in spec.proofs for each in _places(proof)]
        return [file_state(path) for path in map(self._file, given) if path is not None]

    def _file(self, place: files.SecretFrom) -> Path | None:
        """Return the file that holds a secret; None where a variable does."""
        if place.file is not None:
            return Path(place.file)
        path = None if self._environ.get(place.env or "") else self._environ.get(f"{place.env}_FILE")
        return Path(path) if path else None

    def _secrets(self, proof: files.ProofFile, at: str, faults: list[Fault]) -> tuple[bytes, ...]:
        found = []
        for place in _places(proof):
            if (place.env is None) == (place.file is None):
                faults.append(Fault(at, "give `env` or `file`"))
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
