"""As much of Kubernetes' API as Helm asks to render a chart for a cluster: which kinds there are, and one Secret."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

_KINDS = {
    "v1": ("ConfigMap", "Secret", "Service", "ServiceAccount"),
    "apps/v1": ("Deployment",),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "networking.k8s.io/v1": ("NetworkPolicy",),
    "policy/v1": ("PodDisruptionBudget",),
}


def _plural(kind: str) -> str:
    return kind.lower().removesuffix("y") + ("ies" if kind.endswith("y") else "s")


def _documents(secret: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
        "/api/v1/namespaces/default/secrets/pinrelay": {"apiVersion": "v1", "kind": "Secret", "data": secret},
    }
    for version, kinds in _KINDS.items():
        each = {"namespaced": True, "verbs": ["get"]}
        resources = [{"name": _plural(kind), "kind": kind, **each} for kind in kinds]
        path = f"/api/{version}" if version == "v1" else f"/apis/{version}"
        found[path] = {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
        if "/" in version:
            named = {"groupVersion": version, "version": version.partition("/")[2]}
            group = {"name": version.partition("/")[0], "versions": [named], "preferredVersion": named}
            found["/apis"]["groups"].append(group)
    return found


@contextmanager
def kubernetes_api(secret: dict[str, str]) -> Iterator[str]:
    """Serve the API of a cluster that holds nothing but the Secret `pinrelay`; yields its address."""
    documents = _documents(secret)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            found = documents.get(self.path.partition("?")[0])
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(found or {"kind": "Status", "code": 404, "reason": "NotFound"}).encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
