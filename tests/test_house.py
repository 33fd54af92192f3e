"""What the repository promises to whoever installs, deploys or builds it."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields, is_dataclass
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.config import Settings, load_settings
from app.errors import SettingsError
from tests.process import ROOT
from tests.rows import every_row
from tests.tools import docker_compose

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
LOCKS = [ROOT / "tests/node/package-lock.json", ROOT / "bench/node/package-lock.json"]
#: Extra, "" for what runs -> what it asks for.
ASKED: dict[str, list[str]] = {
    "": PYPROJECT["project"]["dependencies"],
    "build": PYPROJECT["build-system"]["requires"],
    **PYPROJECT["project"]["optional-dependencies"],
}
#: What only the lock names.
ONLY_LOCKED = {("lock", "editables"), ("lock", "aws-cdk-lambda-layer-kubectl-v36")}
LIVE = {"PINTEREST_AD_ACCOUNT_ID": "549755885175", "PINTEREST_CONVERSION_TOKEN": "pina_example"}


# ---------------------------------------------------------------------------------------------------------------------
# Pinned versions


def pinned(text: str) -> dict[str, str]:
    """Read `name -> the rest of its lines` from constraints."""
    entries = re.findall(r"^([\w.-]+)==(\S+(?:.*\n)(?:    .*\n?)*)", text, re.MULTILINE)
    return {canonicalize_name(name): rest for name, rest in entries}


def test_every_package_is_pinned_by_version_and_hash() -> None:
    asked = [item for items in ASKED.values() for item in items]
    entries = pinned(CONSTRAINTS)
    assert {canonicalize_name(Requirement(item).name) for item in asked} <= entries.keys()
    assert not [name for name, rest in entries.items() if "--hash=sha256:" not in rest]


def test_what_runs_needs_nothing_of_what_builds_or_develops() -> None:
    run = pinned(CONSTRAINTS.split("# == To build")[0])
    extras = PYPROJECT["project"]["optional-dependencies"]
    asked = [*PYPROJECT["project"]["dependencies"], *extras["otel"], *extras["postgres"], *extras["sandbox"]]
    assert {canonicalize_name(Requirement(item).name) for item in asked} <= run.keys()
    assert not {"hatchling", "pytest", "ruff", "mypy", "uv"} & run.keys()


@every_row("item", [item for items in ASKED.values() for item in items])
def test_every_package_has_a_lowest_version_and_an_end_and_the_locked_one_lies_between(item: str) -> None:
    asked = Requirement(item)
    assert sorted(bound.operator for bound in asked.specifier) == ["<", ">="]
    locked = pinned(CONSTRAINTS)[canonicalize_name(asked.name)].split()[0]
    assert asked.specifier.contains(locked)


def test_the_page_lists_every_package_with_its_purpose_and_its_licence() -> None:
    page = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    rows, extra = [], ""
    for line in page.splitlines():
        if heading := re.fullmatch(r"### `(\w+)`", line):
            extra = heading[1]
        elif row := re.fullmatch(r"- `([^`]+)`: ([^(]+) \((.+)\)", line):
            rows.append((extra, *row.groups()))
    packages = {
        (extra, str(canonicalize_name(Requirement(item).name))) for extra, items in ASKED.items() for item in items
    }
    folders = [json.loads(lock.with_name("package.json").read_text(encoding="utf-8")) for lock in LOCKS]
    of_npm = {
        ("npm", name) for one in folders for kind in ("dependencies", "devDependencies") for name in one.get(kind, ())
    }
    assert sorted((extra, name) for extra, name, _, _ in rows) == sorted(packages | of_npm | ONLY_LOCKED)
    licence = re.compile(r"(MIT|(Apache|BSD|MPL|LGPL|GPL|PSF)-[\d.]+(-Clause|-only)?)")
    assert [row for row in rows if not all(map(licence.fullmatch, re.findall(r"[^() ]*[A-Z][^() ]*", row[3])))] == []


@pytest.mark.slow
def test_what_the_package_imports_it_asks_for() -> None:
    asked = {canonicalize_name(Requirement(item).name) for extra, items in ASKED.items() for item in items}
    provides = packages_distributions()
    imported = {name for file in (ROOT / "app").rglob("*.py") for name in imported_by(file)} - sys.stdlib_module_names
    made = {name: {canonicalize_name(each) for each in provides[name]} for name in imported - {"app"}}
    comes_along = {"pydantic_core", "opentelemetry"}  # pinned by pydantic; several packages share the name
    assert {name for name, packages in made.items() if not packages & asked} - comes_along == set()


@pytest.mark.slow
def test_defaults_of_dataclasses_are_allowed_by_python_3_11() -> None:
    """Python 3.11 refuses defaults of these types, which later versions can hash."""
    for file in (ROOT / "app").rglob("*.py"):
        import_module(".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    classes = {
        each
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] == "app"
        for each in vars(module).values()
        if isinstance(each, type) and is_dataclass(each)
    }
    assert len(classes) > 100
    assert [
        f"{each.__qualname__}.{field.name}"
        for each in classes
        for field in fields(each)
        if isinstance(field.default, MappingProxyType | slice)
    ] == []


def imported_by(file: Path) -> set[str]:
    """Return the packages that a file imports, at its top or anywhere below."""
    nodes = [*ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    froms = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.partition(".")[0] for name in froms + plain}


def test_the_constraints_name_no_host_and_no_folder() -> None:
    for line in CONSTRAINTS.splitlines():
        assert re.fullmatch(r"#[^/:]*|[\w.-]+==[^/:]+|    --hash=sha256:[0-9a-f]{64}( \\)?", line), line


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.parent.parent.name)
def test_the_locks_of_npm_name_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    assert "://" not in text
    assert all(entry.get("integrity") or name == "" or entry.get("inBundle") for name, entry in packages.items())


# ---------------------------------------------------------------------------------------------------------------------
# One command


def test_ci_does_what_anybody_does() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert [line for line in script if line.startswith("make")] == ["make check", "make test"]


@pytest.mark.slow
def test_every_text_keeps_to_the_editorconfig() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    texts = {name: (ROOT / name).read_bytes() for name in listed.decode().split("\0") if (ROOT / name).is_file()}
    odd = {
        name: fault
        for name, text in texts.items()
        if text and b"\0" not in text
        for fault, pattern in {
            "no line end at its end": rb"[^\n]\Z",
            "blanks at a line's end": rb"[ \t]\n",
            "line ends of Windows": rb"\r\n",
            "tabs": rb"^\t",
        }.items()
        if re.search(pattern, text, re.MULTILINE)
        and not (fault == "tabs" and Path(name).name in {"Makefile", "Caddyfile"})
    }
    assert odd == {}


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    assert (ROOT / "app/py.typed").read_text(encoding="utf-8") == ""


def test_every_target_explains_itself() -> None:
    targets = re.findall(r"^\.PHONY: (\S+)\n\1:.*## .+$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert {"help", "run", "check", "format", "quick", "test", "prove", "bench", "lock", "clean"} <= set(targets)
    assert [line.split()[0] for line in listed.splitlines()] == targets


def test_set_up_has_no_option_that_only_linux_knows() -> None:
    """`make run`, `make quick` and `make check` are for macOS too, whose tools are BSD's."""
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "Makefile", ROOT / ".ci/find-python")}
    odd = (
        r"\b(sed -i|sed .*\\t|readlink -f|grep -P|date -d|stat -c|xargs -r|sort -V|cp -a|nproc|timeout \d|expand -t)\b"
    )
    assert [(path.name, found) for path, text in texts.items() for found in re.findall(odd, text)] == []


def test_every_measurement_is_listed() -> None:
    listed = (ROOT / "bench/README.md").read_text(encoding="utf-8")
    assert [path.name for path in sorted((ROOT / "bench").glob("*.py")) if f"| `{path.name}` |" not in listed] == []


# ---------------------------------------------------------------------------------------------------------------------
# Containers


COMPOSE_FILES = ("docker-compose.yml", "docker-compose.cluster.yml")


def compose(*profiles: str, file: str = COMPOSE_FILES[0], **environment: str) -> dict[str, Any]:
    """Read the compose file as docker-compose does, by its own check."""
    arguments = [word for profile in profiles for word in ("--profile", profile)]
    done = subprocess.run(
        [docker_compose(), *arguments, "config"],
        cwd=(ROOT / file).parent,
        env={"PATH": os.environ["PATH"], "COMPOSE_FILE": file, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return services


def container_settings(service: dict[str, Any], tmp_path: Path) -> dict[str, str]:
    """Run a service's command with a `pinrelay` that prints its environment, and read that."""
    stand_in = tmp_path / "pinrelay"
    stand_in.write_text("#!/bin/sh\nexec env\n")
    stand_in.chmod(0o755)
    given = {name: str(value) for name, value in service["environment"].items() if value is not None}
    command = [word.replace("$$", "$") for word in service["command"]]
    environment = given | {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in printed.splitlines())


def settings_of(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.mark.slow
def test_without_a_profile_the_port_is_for_this_machine_only() -> None:
    services = compose()
    assert services.keys() == {"pinrelay"}
    (port,) = services["pinrelay"]["ports"]
    assert (port["host_ip"], str(port["published"]), port["target"]) == ("127.0.0.1", "8080", 8080)


@pytest.mark.slow
@pytest.mark.parametrize("file", COMPOSE_FILES)
@pytest.mark.parametrize(
    ("bind", "is_reachable"),
    [
        *(("", False), ("127.0.0.1", False), ("127.8.9.1", False), ("[::1]", False)),
        *(("0.0.0.0", True), ("[::]", True), ("10.0.0.5", True)),
    ],
)
def test_bind_decides_the_published_address_and_who_is_trusted(
    *, file: str, bind: str, is_reachable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = containers_of_ours(file, BIND=bind, PUBLISHED_ON_LOOPBACK="true", WRITE_KEYS="shop:0123456789abcdef")
    published = [port for service in services for port in service.get("ports", ())]
    assert published
    assert {port["host_ip"].strip("[]") for port in published} == {bind.strip("[]") or "127.0.0.1"}
    for service in services:
        given = {name: str(value) for name, value in service["environment"].items() if value is not None}
        assert settings_of(given, monkeypatch).reachable is is_reachable


@pytest.mark.slow
@pytest.mark.parametrize("file", COMPOSE_FILES)
def test_an_open_port_needs_a_secret(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for service in containers_of_ours(file, BIND="0.0.0.0"):
        given = {name: str(value) for name, value in service["environment"].items() if value is not None}
        with pytest.raises(SettingsError, match="WRITE_KEYS"):
            settings_of(given, monkeypatch)


@pytest.mark.slow
def test_live_on_loopback_needs_no_authentication(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(container_settings(compose(**LIVE)["pinrelay"], tmp_path), monkeypatch)
    assert (settings.live, settings.host, settings.reachable) == (True, "0.0.0.0", False)


@pytest.mark.slow
def test_with_tls_senders_must_prove_who_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = compose("tls", DOMAIN="events.example.com", **LIVE)
    assert services.keys() == {"pinrelay", "caddy"}
    assert services["caddy"]["environment"]["DOMAIN"] == "events.example.com"
    environment = container_settings(services["pinrelay"], tmp_path)
    with pytest.raises(SettingsError, match="WEBHOOK_SHARED_SECRETS"):
        settings_of(environment, monkeypatch)
    assert settings_of(environment | {"WRITE_KEYS": "shop:0123456789abcdef"}, monkeypatch).reachable


@pytest.mark.slow
def test_caddy_asks_for_the_domain_where_it_has_none() -> None:
    command = [word.replace("$$", "$") for word in compose("tls")["caddy"]["command"]]
    done = subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "name the domain" in done.stderr


SECRETS = {name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}

#: Secrets that the sources ask for that come with Pinrelay.
OF_SOURCES = {
    name
    for file in (ROOT / "sources").glob("*.yaml")
    for name in re.findall(r"\benv: (\w+)", file.read_text(encoding="utf-8"))
}


def containers_of_ours(file: str, **environment: str) -> list[dict[str, Any]]:
    return [service for service in compose(file=file, **environment).values() if service["image"] == "pinrelay"]


@pytest.mark.slow
@pytest.mark.parametrize("file", COMPOSE_FILES)
def test_every_setting_reaches_the_container_and_every_secret_also_from_a_file(file: str) -> None:
    secrets = SECRETS | OF_SOURCES
    expected = {name.upper() for name in Settings.model_fields} | secrets | {f"{name}_FILE" for name in secrets}
    for container in containers_of_ours(file):
        passed = {name for name in container["environment"] if name != "DOMAIN" and not name.startswith("OTEL_")}
        assert expected - passed == set(), "missing"
        assert passed - expected == set(), "no longer a setting"


@pytest.mark.slow
@pytest.mark.parametrize("file", COMPOSE_FILES)
@pytest.mark.parametrize("line", ["SWITCHED_OFF=refuse", "CONSENT_CATEGORY=ads", ""])
def test_a_removed_or_misspelt_setting_of_compose_stops_the_start(
    file: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / file, tmp_path)
    others = "DOMAIN=events.example.com\nFILES_DIR=/srv/pinrelay\nCOMPOSE_PROFILES=tls\nBIND=127.0.0.1\n"
    (tmp_path / ".env").write_text(f"{others}GPC=ldp\n{line}\n", encoding="utf-8")
    for container in containers_of_ours(str(tmp_path / file)):
        given = {name: str(value) for name, value in container["environment"].items() if value is not None}
        assert (given["HOST"], given["GPC"]) == ("0.0.0.0", "ldp")
        if not line:
            assert settings_of(given, monkeypatch).gpc == "ldp"
            continue
        with pytest.raises(SettingsError, match=f"^{line.partition('=')[0]}: "):
            settings_of(given, monkeypatch)
        monkeypatch.delenv(line.partition("=")[0])


@pytest.mark.slow
@pytest.mark.parametrize("file", COMPOSE_FILES)
def test_presets_and_secrets_of_ones_own_need_no_change_of_the_compose_file(file: str) -> None:
    own = {"PRESETS_DIR": "presets,/etc/pinrelay/presets", "CONSOLE_PASSWORD_FILE": "/etc/pinrelay/password"}
    for container in containers_of_ours(file, FILES_DIR="/srv/pinrelay", **own):
        assert own.items() <= container["environment"].items()
        (mount,) = (volume for volume in container["volumes"] if volume["target"] == "/etc/pinrelay")
        assert (mount["type"], mount["source"], mount["read_only"]) == ("bind", "/srv/pinrelay", True)


@pytest.mark.slow
@pytest.mark.parametrize("file", COMPOSE_FILES)
def test_without_files_of_ones_own_what_is_mounted_exists(file: str) -> None:
    for container in containers_of_ours(file):
        (mount,) = (volume for volume in container["volumes"] if volume["target"] == "/etc/pinrelay")
        assert Path(mount["source"]) == ROOT / "presets"
        assert container["environment"]["PRESETS_DIR"] is None


@pytest.mark.slow
def test_the_collector_of_the_documentation_can_be_laid_over_it(tmp_path: Path) -> None:
    page = (ROOT / "docs/telemetry.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```yaml traces\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "traces.yml").write_text(shown, encoding="utf-8")
    services = compose(COMPOSE_FILE=f"docker-compose.yml:{tmp_path}/traces.yml")
    assert services.keys() == {"pinrelay", "jaeger"}
    assert services["pinrelay"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://jaeger:4318"


@pytest.mark.slow
def test_the_container_is_given_time_to_finish() -> None:
    grace_s = int(compose()["pinrelay"]["stop_grace_period"].removesuffix("s"))
    assert grace_s > Settings.model_fields["shutdown_timeout_s"].default
