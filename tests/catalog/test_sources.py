"""The files of sources: checked as strictly as presets, their secrets read apart and taken up when they change."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from app.catalog.sources import RunningSources, SourceSecrets
from app.errors import CatalogError
from tests.source.door import limits

STRONG = "0123456789abcdef"
HEADER = {"kind": "header", "header": "X-Key", "secret": {"env": "SHOP_SECRET"}}
SHOP: dict[str, Any] = {"name": "shop", "kind": "segment", "proofs": [HEADER]}


class Folder:
    """A folder of sources, and what became of it."""

    def __init__(self, path: Path, environ: dict[str, str]) -> None:
        self.path = path
        self.environ = environ
        self.faults: list[str] = []

    def write(self, name: str, spec: dict[str, Any]) -> None:
        (self.path / f"{name}.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")

    def load(self, *names: str, min_characters: int = 16, taken: tuple[str, ...] = ()) -> RunningSources:
        secrets = SourceSecrets(self.environ, min_characters=min_characters)
        return RunningSources(self.path, secrets, limits(), names=names, taken=taken, on_fault=self.faults.append)

    def faults_of(self, *names: str) -> list[str]:
        with pytest.raises(CatalogError) as caught:
            self.load(*names)
        return [str(fault).replace(f"{self.path}/", "") for fault in caught.value.faults]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "sources").mkdir()
    return Folder(tmp_path / "sources", {"SHOP_SECRET": STRONG})


def test_every_file_is_a_source_unless_names_are_given(folder: Folder) -> None:
    folder.write("shop", SHOP)
    folder.write("mall", SHOP | {"name": "mall"})
    assert set(folder.load().sources) == {"mall", "shop"}
    assert set(folder.load("mall").sources) == {"mall"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "Shop"}, "shop.yaml: /name: "),
        ({"name": "default"}, "shop.yaml: `default` is the source that the settings describe"),
        ({"kind": "mapped"}, "shop.yaml: a source of kind `mapped` needs `events`"),
        ({"pixel": True}, "shop.yaml: `events`, `mapping`, `named_by` and `pixel` are for the kind `mapped`"),
        ({"proofs": []}, "shop.yaml: /proofs: should have at least 1, not 0: Proofs of each request"),
        (
            {"proofs": [HEADER | {"secret": {"envv": "A"}}]},
            "shop.yaml: /proofs/0/secret/envv: unknown key: did you mean 'env'?",
        ),
        ({"proofs": [HEADER | {"secret": []}]}, "shop.yaml: /proofs/0/secret: should have at least 1, not 0"),
        ({"proof": {}}, "shop.yaml: /proof: unknown key: did you mean 'proofs'?"),
        ({"enabled": "no"}, "shop.yaml: /enabled: "),
        ({"proofs": [{"kind": "guess"}]}, "shop.yaml: /proofs/0: "),
        (
            {"proofs": [HEADER | {"secret": {}}]},
            "shop.yaml: /proofs/0/secret: give `env` or `file`",
        ),
        *(
            (
                {"proofs": [HEADER | {"secret": bare}]},
                "shop.yaml: /proofs/0/secret: a file must not contain a secret: name",
            )
            for bare in (STRONG, [STRONG, {"env": "WEAK"}])
        ),
        ({"proofs": [HEADER | {"secret": [5]}]}, "shop.yaml: /proofs/0/secret/0: should be keys with their values"),
        ({"proofs": [HEADER | {"secret": 5}]}, "shop.yaml: /proofs/0/secret: should be keys with their values"),
        ({"proofs": [{"kind": "header", "secret": {"env": "WEAK"}}]}, "shop.yaml: /proofs/0/header: is missing"),
        ({"proofs": [{"kind": "hmacc"}]}, "shop.yaml: /proofs/0: 'kind' should be one of 'hmac', 'standard_webhooks'"),
        ({"proofs": [{}]}, "shop.yaml: /proofs/0: 'kind' is missing"),
        (
            {"limits": {"max_event": 1}},
            "shop.yaml: /limits/max_event: unknown key: did you mean 'max_events'?",
        ),
        (
            {"proofs": [HEADER | {"secret": {"env": "NONE"}}]},
            "shop.yaml: /proofs/0/secret: is missing: set NONE or NONE_",
        ),
        (
            {"proofs": [HEADER | {"secret": {"env": "WEAK"}}]},
            "shop.yaml: /proofs/0/secret: must have 16 characters or more",
        ),
        (
            {"proofs": [HEADER | {"secret": {"file": "/no/such"}}]},
            "shop.yaml: /proofs/0/secret: cannot be read: /no/such",
        ),
        (
            {"proofs": [{"kind": "standard_webhooks", "secret": {"env": "ODD"}}]},
            "shop.yaml: /proofs/0/secret: is not base64",
        ),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_with_its_place_and_no_value(folder: Folder, changes: dict[str, Any], told: str) -> None:
    folder.environ |= {"WEAK": "only-15-letters"[:15], "ODD": "no base64 at all: §§"}
    folder.write("shop", SHOP | changes)
    faults = folder.faults_of()
    assert faults[0].startswith(told)
    assert not any(value in " ".join(faults) for value in (STRONG, "only-15-letters", "no base64 at all"))


def test_what_is_wrong_within_a_secret_is_one_fault(folder: Folder) -> None:
    folder.write("shop", SHOP | {"proofs": [HEADER | {"secret": {"envv": "A"}}]})
    assert len(folder.faults_of()) == 1


def test_faults_of_all_files_are_told_at_once(folder: Folder) -> None:
    folder.write("shop", SHOP)
    folder.write("mall", SHOP)
    folder.write("odd", {"name": 5})
    faults = folder.faults_of("shop", "mall", "odd", "gone")
    assert [fault.partition(": ")[0] for fault in faults] == ["odd.yaml"] * 3 + ["SOURCES", "shop.yaml"]
    assert faults[-1].startswith("shop.yaml: /name: another source is named 'shop' too, in")


def test_a_write_key_and_a_file_do_not_share_a_name(folder: Folder) -> None:
    folder.write("shop", SHOP)
    with pytest.raises(CatalogError, match=r"shop\.yaml: /name: a write key of WRITE_KEYS has this name"):
        folder.load(taken=("default", "shop"))
    assert list(folder.load(taken=("default", "app")).sources) == ["shop"]


def test_a_secret_of_a_file_is_taken_up_when_the_file_changes(folder: Folder, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{STRONG}\n")
    folder.write("shop", SHOP | {"proofs": [HEADER | {"secret": {"file": str(secret)}}]})
    running = folder.load()
    taken: list[Any] = []
    running.on_change = taken.append

    running.look()
    assert taken == []
    assert running.sources["shop"].proofs[0].may_hold({"x-key": STRONG})

    replace(secret, "fedcba9876543210")
    running.look()
    assert [sources["shop"].proofs[0].may_hold({"x-key": "fedcba9876543210"}) for sources in taken] == [True]
    assert not running.sources["shop"].proofs[0].may_hold({"x-key": STRONG})


@pytest.mark.parametrize("text", ["", "too-short", None])
def test_a_secret_that_is_no_good_is_told_once_and_the_old_one_holds(
    folder: Folder, tmp_path: Path, text: str | None
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(STRONG)
    folder.environ = {"SHOP_SECRET_FILE": str(secret)}
    folder.write("shop", SHOP)
    running = folder.load()

    if text is None:
        secret.unlink()
    else:
        replace(secret, text)
    running.look()
    running.look()

    assert len(folder.faults) == 1
    assert "/proofs/0/secret" in folder.faults[0]
    assert running.sources["shop"].proofs[0].may_hold({"x-key": STRONG})


def replace(path: Path, text: str) -> None:
    """Put a new file in the place of the old one, as secrets are rotated."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def test_a_variable_and_its_file_at_once_are_a_fault(folder: Folder, tmp_path: Path) -> None:
    folder.environ["SHOP_SECRET_FILE"] = str(tmp_path / "nowhere")
    folder.write("shop", SHOP)
    (told,) = folder.faults_of()
    assert told.endswith("/proofs/0/secret: SHOP_SECRET and SHOP_SECRET_FILE are both set: remove one of the two")


@pytest.mark.parametrize(
    ("proof", "header"),
    [
        ({"kind": "hmac", "header": "X-Sign"}, "x-sign"),
        ({"kind": "standard_webhooks"}, "webhook-signature"),
        ({"kind": "stripe"}, "stripe-signature"),
        ({"kind": "segment"}, "x-signature"),
        ({"kind": "header", "header": "X-Key"}, "x-key"),
        ({"kind": "bearer"}, "authorization"),
        ({"kind": "basic", "user": "shop"}, "authorization"),
    ],
)
def test_every_kind_of_proof_takes_one_secret_or_two(folder: Folder, proof: dict[str, Any], header: str) -> None:
    folder.environ["NEXT_SECRET"] = "fedcba9876543210"
    for secret in ({"env": "SHOP_SECRET"}, [{"env": "SHOP_SECRET"}, {"env": "NEXT_SECRET"}]):
        folder.write("shop", SHOP | {"proofs": [proof | {"secret": secret}]})
        (found,) = folder.load().sources["shop"].proofs
        assert found.header == header


def test_a_reload_is_all_or_nothing(folder: Folder) -> None:
    folder.write("shop", SHOP)
    running = folder.load()
    folder.write("shop", SHOP | {"kind": "other"})
    with pytest.raises(CatalogError):
        running.load()
    assert running.sources["shop"].reshape is None
    folder.write("shop", SHOP | {"enabled": False})
    running.use(running.load())
    assert running.sources["shop"].is_off
