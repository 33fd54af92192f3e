"""docs/deploy: manifests that Kubernetes' schemas take, a unit that systemd takes, proxies that start."""

import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.config import Settings
from tests.examples.blocks import BLOCKS
from tests.packaging.helm import BIN, CHART, COPIED, MANIFESTS, render
from tests.packaging.kubernetes_api import kubernetes_api
from tests.process import COMMAND, PATH, ROOT, running
from tests.waiting import until

pytestmark = pytest.mark.prove

DEPLOY = ROOT / "docs/deploy"
#: The oldest that Chart.yaml takes, and the newest whose schemas there are.
VERSIONS = ("1.27", kubernetes_validate.latest_version())
#: What nginx keeps in folders of its own.
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
#: Not Kubernetes' own.
CUSTOM = {"ServiceMonitor", "PrometheusRule"}
ALL: dict[str, Any] = {
    "serviceMonitor": {"enabled": True, "labels": {"release": "monitoring"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "monitoring"}},
    "dashboard": {"enabled": True},
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "certificate", "console": True},
    "secretFiles": {"secret": "pinrelay-files", "keys": ["WRITE_KEYS", "PINTEREST_CONVERSION_TOKEN"]},
    "imagePullSecrets": [{"name": "registry"}],
    "commonLabels": {"team": "shop"},
    "podAnnotations": {"example.com/owner": "shop"},
    "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "priorityClassName": "high",
    "serviceAccount": {"annotations": {"example.com/role": "events"}},
    "image": {"registry": "", "repository": "shop/pinrelay", "digest": f"sha256:{'0' * 64}"},
    "service": {"type": "LoadBalancer", "annotations": {"example.com/internal": "true"}},
    "extraEnv": [{"name": "OTEL_SERVICE_NAME", "value": "events"}],
    "extraVolumes": [{"name": "extra", "emptyDir": {"sizeLimit": "1Mi"}}],
    "extraVolumeMounts": [{"name": "extra", "mountPath": "/extra"}],
    "roles": {
        "receivers": {"maxReplicas": 10, "affinity": {"nodeAffinity": {}}, "strategy": {"type": "Recreate"}},
        "senders": {"affinity": {"podAntiAffinity": {}}},
    },
    "presets": "mine",
    "mappings": "mine",
    "sources": "mine",
    "destinations": "mine",
    "addresses": "mine",
    "networkPolicy": {
        "enabled": True,
        "databasePort": 6432,
        "from": [{"podSelector": {"matchLabels": {"app": "x"}}}],
        "egress": [{"ports": [{"protocol": "TCP", "port": 4318}], "to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}]}],
    },
}
SQLITE: dict[str, Any] = {"sqlite": {"enabled": True}}


def run(*command: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    path = {"PATH": PATH, "HOME": os.environ["HOME"]}
    return subprocess.run(list(map(str, command)), env=path | settings, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("changes", "halves"),
    [({}, 2), (ALL, 2), (SQLITE, 1), (ALL | SQLITE, 1)],
    ids=["as it is", "all of it", "SQLite", "SQLite and all of it"],
)
def test_the_chart_renders_to_manifests_that_the_schemas_take(
    version: str, changes: dict[str, Any], halves: int
) -> None:
    manifests = render(**changes)
    kinds = [each["kind"] for each in manifests]
    assert kinds.count("Deployment") == kinds.count("Service") == halves
    assert kinds.count("PodDisruptionBudget") == (2 if halves == 2 else 0)
    assert {"ConfigMap", "NetworkPolicy"} <= set(kinds)
    assert kinds.count("HorizontalPodAutoscaler") == (1 if "roles" in changes and halves == 2 else 0)
    assert kinds.count("PersistentVolumeClaim") == 2 - halves
    assert ("Ingress" in kinds, "PrometheusRule" in kinds) == (("ingress" in changes),) * 2
    for each in manifests:
        if each["kind"] not in CUSTOM:
            kubernetes_validate.validate(each, version, strict=True)


def test_the_manifests_are_those_of_the_chart() -> None:
    assert list(yaml.safe_load_all(MANIFESTS.read_text(encoding="utf-8"))) == render(serviceMonitor={"enabled": True})


def test_the_chart_has_the_rules_and_the_dashboard_of_the_documentation() -> None:
    for name in COPIED:
        assert (CHART / "files" / name).read_bytes() == (ROOT / "docs" / name).read_bytes(), "tests.packaging.helm"


def test_two_releases_share_no_name_and_no_pod() -> None:
    first, second = render(**ALL), render(release="outlet", **ALL)
    names = [{(each["kind"], each["metadata"]["name"]) for each in manifests} for manifests in (first, second)]
    assert names[0] & names[1] == set()
    assert {name for _, name in names[1]} == {name.replace("pinrelay", "outlet-pinrelay") for _, name in names[0]}
    labels = pods(second)[0]["metadata"]["labels"].items()
    for each in first:
        selector = each.get("spec", {}).get("selector", each.get("spec", {}).get("podSelector"))
        assert not selector or not selector.get("matchLabels", selector).items() <= labels, each["kind"]
    (named,) = {
        each["metadata"]["name"]
        for each in render(fullnameOverride="events", **ALL)
        if each["kind"] in {"NetworkPolicy", "Ingress", "ServiceMonitor"}
    }
    assert named == "events"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"preset": "mine"}, "preset"),
        ({"image": "registry.example.com/pinrelay:0.1.0"}, "image"),
        ({"image": {"digest": "0123"}}, "digest"),
        ({"service": {"type": "Ingress"}}, "service"),
        ({"settings": {"MAX_EVENTS_PER_REQUEST": 5}}, "MAX_EVENTS_PER_REQUEST"),
        ({"settings": {"max_events_per_request": "5"}}, "max_events_per_request"),
        ({"ingress": {"paths": ["webhook"]}}, "paths"),
        ({"sqlite": {"enabled": "yes"}}, "enabled"),
        ({"roles": {"senders": {"role": "sender"}}}, "role"),
        ({"networkPolicy": {"databasePort": 0}}, "databasePort"),
        ({"topologySpread": [{"topologyKey": "zone"}]}, "topologySpread"),
    ],
)
def test_a_wrong_value_is_named(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(AssertionError, match=rf"(?s)schema.*{fault}"):
        render(**changes)


def test_each_value_of_the_chart_is_in_its_schema_and_no_other() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))["properties"]
    assert values.keys() | {"global"} == schema.keys()
    for name, value in values.items():
        if "properties" in schema[name]:
            assert value.keys() == schema[name]["properties"].keys(), name


def test_each_value_of_the_chart_is_on_its_page() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    rows = re.findall(r"^\| `([\w.*]+)` \|", (CHART / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == len(set(rows))
    paths = {re.sub(r"^roles\.\w+\.", "roles.*.", path) for path in paths_of(values)}
    assert set(rows) == paths


def paths_of(value: Any, path: str = "") -> set[str]:
    """Return the path of each value that a user sets; resources, labels and settings are whole values."""
    whole = path.rpartition(".")[2] in {"resources", "labels", "settings"}
    if not isinstance(value, dict) or not value or whole:
        return {path}
    return set().union(*(paths_of(each, f"{path}.{name}" if path else name) for name, each in value.items()))


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        ({}, "registry.example.com/pinrelay:0.1.0"),
        ({"registry": "", "tag": "dev"}, "pinrelay:dev"),
        ({"digest": f"sha256:{'a' * 64}", "tag": "dev"}, f"registry.example.com/pinrelay@sha256:{'a' * 64}"),
    ],
)
def test_the_image_has_registry_repository_and_tag_or_digest(image: dict[str, str], shown: str) -> None:
    assert {pod["spec"]["containers"][0]["image"] for pod in pods(render(image=image))} == {shown}


def test_an_upgrade_changes_no_field_that_kubernetes_does_not_let_change() -> None:
    """The selectors of Deployments and the claim are those of commit 9903de9f."""
    common = {"app.kubernetes.io/name": "pinrelay", "app.kubernetes.io/instance": "pinrelay"}
    found = {
        each["metadata"]["name"]: each["spec"]["selector"]
        for changes in ({}, SQLITE)
        for each in render(**changes)
        if each["kind"] == "Deployment"
    }
    assert found == {
        f"pinrelay-{name}": {"matchLabels": common | {"app.kubernetes.io/component": name}}
        for name in ("receivers", "senders", "server")
    }
    (claim,) = (each for each in render(**SQLITE) if each["kind"] == "PersistentVolumeClaim")
    assert (claim["metadata"]["name"], claim["spec"]) == (
        "pinrelay-data",
        {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
    )


def test_helms_test_reaches_a_receiver_past_the_network_policy() -> None:
    manifests = render(skip_tests=False, **ALL)
    (pod,) = (each for each in manifests if each["kind"] == "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    kubernetes_validate.validate(pod, VERSIONS[-1], strict=True)
    labels = pod["metadata"]["labels"].items()
    (policy,) = (each["spec"] for each in manifests if each["kind"] == "NetworkPolicy")
    assert not policy["podSelector"]["matchLabels"].items() <= labels  # so its own calls are not restricted
    peers = [each["podSelector"]["matchLabels"].items() for each in policy["ingress"][0]["from"]]
    assert any(peer <= labels for peer in peers)
    (url,) = re.findall(r'urlopen\("(\S+?)"', pod["spec"]["containers"][0]["args"][0])
    services = {each["metadata"]["name"] for each in manifests if each["kind"] == "Service"}
    assert url in {f"http://{name}/readyz" for name in services}


def test_over_sqlite_one_process_has_the_volume() -> None:
    manifests = render(**SQLITE)
    (deployment,) = (each["spec"] for each in manifests if each["kind"] == "Deployment")
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    (container,) = deployment["template"]["spec"]["containers"]
    assert container["args"][-2:] == ["--role", "all"]
    (claim,) = (each for each in manifests if each["kind"] == "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    volumes = {each["name"]: each for each in deployment["template"]["spec"]["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    own = render(sqlite={"enabled": True, "existingClaim": "mine"})
    assert "PersistentVolumeClaim" not in {each["kind"] for each in own}
    assert "claimName: mine" in yaml.safe_dump(own)


def test_secrets_as_files_replace_no_pod_and_each_is_where_its_setting_says() -> None:
    for pod in pods(render(**ALL)):
        (container,) = pod["spec"]["containers"]
        given = {each["name"]: each["value"] for each in container["env"]}
        assert given == {
            f"{name}_FILE": f"/etc/pinrelay/secrets/{name}" for name in ("WRITE_KEYS", "PINTEREST_CONVERSION_TOKEN")
        } | {"OTEL_SERVICE_NAME": "events"}
        assert {each["mountPath"] for each in container["volumeMounts"]} == {
            *("/tmp", "/data", "/extra", "/etc/pinrelay/secrets"),
            *(f"/etc/pinrelay/{name}" for name in ("presets", "mappings", "sources", "destinations", "addresses")),
        }
        assert all("subPath" not in each for each in container["volumeMounts"])  # which would never change


def test_the_ingress_leads_senders_and_pages_to_the_receivers_and_to_nothing_else() -> None:
    (ingress,) = (each["spec"] for each in render(**ALL) if each["kind"] == "Ingress")
    (rule,) = ingress["rules"]
    paths = {each["path"] for each in rule["http"]["paths"]}
    assert {"/webhook", "/v1", "/analytics.js", "/console"} <= paths
    assert not {"/", "/metrics", "/sandbox"} & paths
    assert {each["backend"]["service"]["name"] for each in rule["http"]["paths"]} == {"pinrelay-receivers"}
    config = next(
        each["data"] for each in render(**ALL) if each["kind"] == "ConfigMap" and "LOG_FORMAT" in each["data"]
    )
    assert config["PUBLIC_HOSTS"] == rule["host"]
    (over_sqlite,) = (each["spec"] for each in render(**ALL | SQLITE) if each["kind"] == "Ingress")
    assert "pinrelay-server" in yaml.safe_dump(over_sqlite)


def test_prometheus_takes_the_rules_of_the_chart(tmp_path: Path) -> None:
    if shutil.which("promtool", path=PATH) is None:
        pytest.skip("there is no promtool: install Debian's package prometheus")
    (rules,) = (each["spec"] for each in render(**ALL) if each["kind"] == "PrometheusRule")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    done = run("promtool", "check", "rules", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stderr


def test_grafanas_sidecar_finds_the_dashboard() -> None:
    (board,) = (each for each in render(**ALL) if each["metadata"]["name"].endswith("-dashboard"))
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(board["data"]["pinrelay.json"]) == json.loads((ROOT / "docs" / COPIED[1]).read_text("utf-8"))


def test_helm_finds_no_fault_in_the_chart() -> None:
    done = run(BIN / "helm", "lint", "--strict", ROOT / "docs/deploy/helm/pinrelay")
    assert done.returncode == 0, done.stdout


def test_the_commands_of_the_page_are_taken_by_helm_and_kubectl_without_a_cluster() -> None:
    of_kubectl, _, of_helm, of_kustomize = (
        block.text for block in BLOCKS if block.page == "deploying" and "cluster" in block.why_not
    )
    make_secrets, applied = of_kubectl.split("kubectl apply -f ")
    assert ROOT / applied.strip() == MANIFESTS

    installed = run("sh", "-euc", f"cd {ROOT}; {BIN}/{of_helm.strip()} --dry-run=client")
    assert 'image: "registry.example.com/pinrelay:0.1.0"' in installed.stdout, installed.stderr
    kubectl = f'kubectl() {{ echo ---; {BIN}/kubectl "$@" --dry-run=client --output=yaml; }}; '
    made = run("sh", "-euc", kubectl + make_secrets)
    assert made.returncode == 0, made.stderr
    secrets = {each["metadata"]["name"]: each for each in yaml.safe_load_all(made.stdout)}
    for each in secrets.values():
        kubernetes_validate.validate(each, VERSIONS[-1], strict=True)
    held = {
        name: {key: b64decode(value).decode() for key, value in each["data"].items()} for name, each in secrets.items()
    }
    assert held["pinrelay"].keys() <= {name.upper() for name in Settings.model_fields}
    assert held["pinrelay"]["CONSOLE_USERS"] == f"prometheus:viewer:{token_of_prometheus(held)}"
    assert of_kustomize.strip() == "kubectl apply -k my-pinrelay"  # as the test of Kustomize has it


def test_the_first_event_of_the_page_is_taken_by_the_key_of_the_secret(tmp_path: Path) -> None:
    (script,) = (block.text for block in BLOCKS if block.page == "deploying" and "read_secret" in block.text)
    held: dict[str, Any] = {"write_keys": "shop:0123456789abcdef", "console_password": "a password of the console"}
    kubectl = "kubectl() { case $* in "
    for name, value in held.items():
        kubectl += f"*{name.upper()}*) echo {b64encode(value.encode()).decode()} ;; "
    with running(tmp_path, **held) as server:
        script = script.replace("http://127.0.0.1:8080", server.url).replace("curl ", "curl --silent ")
        done = run("sh", "-euc", f"{kubectl}esac; }}; {script}")
        assert (done.returncode, done.stdout) == (0, '{"success": true}' + held["console_password"]), done.stderr
        until(lambda: "delivered" in server.run("message", "first-1"))


def token_of_prometheus(held: dict[str, dict[str, str]]) -> str:
    """Return what the ServiceMonitor has Prometheus send, of these Secrets."""
    (monitor,) = (each for each in render(serviceMonitor={"enabled": True}) if each["kind"] == "ServiceMonitor")
    (endpoint,) = monitor["spec"]["endpoints"]
    where = endpoint["authorization"]["credentials"]
    return held[where["name"]][where["key"]]


def test_no_network_is_trusted_unless_it_is_named() -> None:
    (config,) = (each for each in render() if each["kind"] == "ConfigMap")
    assert config["data"] == {"LOG_FORMAT": "json"}


def test_what_pods_keep_on_their_nodes_disk_is_bounded() -> None:
    limits = {"tmp": "3Gi", "data": "1Gi"}
    for pod in pods(render(emptyDirLimits=limits)):
        assert {each["name"]: each["emptyDir"] for each in pod["spec"]["volumes"]} == {
            name: {"sizeLimit": limit} for name, limit in limits.items()
        }
    assert all(each["emptyDir"]["sizeLimit"] for pod in pods(render()) for each in pod["spec"]["volumes"])


def test_egress_can_be_extended() -> None:
    (before,) = (each for each in render() if each["kind"] == "NetworkPolicy")
    more = ALL["networkPolicy"]["egress"]
    (after,) = (each for each in render(networkPolicy={"egress": more}) if each["kind"] == "NetworkPolicy")
    assert after["spec"]["egress"] == before["spec"]["egress"] + more


def pods(manifests: list[dict[str, Any]]) -> list[Any]:
    found = [each["spec"]["template"] for each in manifests if each["kind"] == "Deployment"]
    assert len(found) == 2
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"CONSENT_CATEGORIES": "Advertising"}},
        {"settings": {"LDP_STATES": "US-CA"}},
        {"settings": {"LOG_FORMAT": "text"}},
        {"presets": "mine"},
    ],
)
def test_a_changed_setting_replaces_all_pods(changes: dict[str, Any]) -> None:
    before, after = pods(render()), pods(render(**changes))
    assert all(old["metadata"] != new["metadata"] for old, new in zip(before, after, strict=True))


def test_what_is_no_setting_replaces_no_pods() -> None:
    others: dict[str, Any] = {
        "networkPolicy": {"enabled": True, "databasePort": 6432},
        "serviceMonitor": {"enabled": True},
    }
    assert pods(render(**others)) == pods(render())


def test_a_changed_secret_replaces_all_pods() -> None:
    found = []
    for value in ("QQ==", "Qg==", "QQ=="):
        with kubernetes_api({"CONSOLE_PASSWORD": value}) as address:
            found.append(pods(render(cluster=address)))
    first, second, again = found
    assert all(old["metadata"] != new["metadata"] for old, new in zip(first, second, strict=True))
    assert first == again


@pytest.mark.parametrize("changed", ["settings.env", "secret.env"])
def test_kustomize_replaces_all_pods_where_a_file_of_settings_or_secrets_changes(tmp_path: Path, changed: str) -> None:
    for name in ("kubernetes.yaml", "kustomization.yaml"):
        shutil.copy(DEPLOY / name, tmp_path)
    (tmp_path / "settings.env").write_text("LOG_FORMAT=text\n", encoding="utf-8")
    (tmp_path / "secret.env").write_text("OUTBOX_URL=postgresql://db/pinrelay\n", encoding="utf-8")
    before = kustomized(tmp_path)
    with (tmp_path / changed).open("a", encoding="utf-8") as file:
        file.write("LDP_STATES=US-CA\n")
    after = kustomized(tmp_path)
    assert all(old["spec"] != new["spec"] for old, new in zip(pods(before), pods(after), strict=True))
    for each in after:
        if each["kind"] not in CUSTOM:
            kubernetes_validate.validate(each, VERSIONS[-1], strict=True)


def kustomized(folder: Path) -> list[dict[str, Any]]:
    """Return what Kustomize makes of a folder, whose pods get all their settings from what is made with them."""
    done = run(BIN / "kubectl", "kustomize", folder)
    assert done.returncode == 0, done.stderr
    manifests = [*yaml.safe_load_all(done.stdout)]
    made = {each["metadata"]["name"]: each for each in manifests if each["kind"] in {"ConfigMap", "Secret"}}
    for pod in pods(manifests):
        (container,) = pod["spec"]["containers"]
        assert {each["name"] for source in container["envFrom"] for each in source.values()} == made.keys()
    return manifests


def test_a_fault_in_a_manifest_is_found() -> None:
    deployment = next(each for each in render() if each["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readinessProb"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)


def test_selectors_find_the_pods_and_the_services_that_they_mean() -> None:
    manifests = render(**ALL)
    of_pods = [each["metadata"]["labels"] for each in pods(manifests)]
    services = [each["metadata"]["labels"] for each in manifests if each["kind"] == "Service"]
    for each in manifests:
        spec = each.get("spec", {})
        selector = spec.get("selector", spec.get("podSelector"))
        if selector:
            wanted = selector.get("matchLabels", selector).items()
            found = [labels for labels in (services if each["kind"] in CUSTOM else of_pods) if wanted <= labels.items()]
            assert len(found) == (2 if each["kind"] in {*CUSTOM, "NetworkPolicy"} else 1), each["kind"]
    config = next(each["data"] for each in manifests if each["kind"] == "ConfigMap")
    assert set(config) <= {name.upper() for name in Settings.model_fields}
    assert config["PRESETS_DIR"] == "presets,/etc/pinrelay/presets"


def test_systemd_takes_the_unit_and_finds_it_hardened(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze", path=PATH) is None:
        pytest.skip("there is no systemd-analyze")
    unit = tmp_path / "pinrelay.service"
    text = (DEPLOY / "pinrelay.service").read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/pinrelay/bin/pinrelay", str(COMMAND)), encoding="utf-8")
    verified = run("systemd-analyze", "verify", "--man=no", unit)
    assert (verified.returncode, verified.stderr) == (0, "")
    looked = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    (exposure,) = re.findall(r"exposure level for \S+: ([\d.]+)", looked.stdout)
    assert float(exposure) <= 2, looked.stdout


def test_caddy_takes_its_files(tmp_path: Path) -> None:
    for file in (DEPLOY / "Caddyfile", ROOT / "Caddyfile"):
        done = run(
            Path(sys.executable).parent / "caddy", "validate", "--adapter=caddyfile", "--config", file,
            DOMAIN="events.example.com", XDG_DATA_HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def test_nginx_takes_its_file(tmp_path: Path) -> None:
    nginx = shutil.which("nginx", path=f"{PATH}:{os.environ.get('NGINX', '')}")
    if nginx is None:
        pytest.skip("there is no nginx: apt-get install nginx-light")
    pair = ("-keyout", tmp_path / "privkey.pem", "-out", tmp_path / "fullchain.pem")
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=events.example.com", *pair)
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    site = text.replace("/etc/letsencrypt/live/events.example.com", str(tmp_path)).replace("443", "8443")
    kept = " ".join(f"{each}_temp_path {tmp_path}/{each};" for each in TEMPORARY)
    whole = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {kept} {site} }}"
    (tmp_path / "nginx.conf").write_text(whole, encoding="utf-8")
    done = run(nginx, "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf")
    assert done.returncode == 0, done.stderr


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    done = run(Path(sys.executable).parent / "hadolint", ROOT / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")
