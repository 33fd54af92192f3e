"""Renders the chart of docs/deploy/helm by Helm itself, and writes docs/deploy/kubernetes.yaml of it, and its files.

    python -m tests.packaging.helm

Helm and kubectl are where `.ci/unpack-helm` has put them. No cluster is asked.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.process import ROOT

BIN = Path(sys.executable).parent
CHART = ROOT / "docs/deploy/helm/pinrelay"
#: What the chart brings along, of docs/.
COPIED = ("prometheus-alerts.yaml", "grafana-dashboard.json")
MANIFESTS = ROOT / "docs/deploy/kubernetes.yaml"
_HEAD = """\
# The chart of docs/deploy/helm with its values as they are, and a ServiceMonitor: kubectl apply -f kubernetes.yaml
# Written by `python -m tests.packaging.helm`; docs/deploying.md says what has to be there first.
"""


def render_text(*, cluster: str = "", release: str = "pinrelay", skip_tests: bool = True, **changes: Any) -> str:
    """Return the manifests of the chart, with these changes of its values, as Helm writes them.

    `cluster` is the address of an API that Helm asks for the Secret.
    """
    command = [str(BIN / "helm"), "template", release, str(CHART), "--values", "-"]
    command += ["--skip-tests"] if skip_tests else []
    if cluster:
        command += ["--dry-run=server", "--disable-openapi-validation", "--kube-apiserver", cluster]
    with tempfile.TemporaryDirectory() as home:  # where it keeps what a cluster has told
        done = subprocess.run(
            command, input=json.dumps(changes), env={"HOME": home}, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def render(**arguments: Any) -> list[dict[str, Any]]:
    """Return the manifests of `render_text` as objects."""
    return [each for each in yaml.safe_load_all(render_text(**arguments)) if each]


if __name__ == "__main__":
    for copied in COPIED:
        (CHART / "files" / copied).write_bytes((ROOT / "docs" / copied).read_bytes())
    MANIFESTS.write_text(_HEAD + render_text(serviceMonitor={"enabled": True}), encoding="utf-8")
