"""A collector of traces: what an OpenTelemetry exporter sends to it by OTLP over HTTP, decoded."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True, slots=True)
class Exported:
    """One span as it arrived, and the service that sent it."""

    span: Span
    resource: dict[str, Any]

    @property
    def attributes(self) -> dict[str, Any]:
        return plain(self.span.attributes)

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()

    @property
    def span_id(self) -> str:
        return self.span.span_id.hex()

    @property
    def parent_id(self) -> str:
        return self.span.parent_span_id.hex()

    @property
    def links(self) -> set[str]:
        """The spans that it is linked to."""
        return {link.span_id.hex() for link in self.span.links}


def plain(attributes: Any) -> dict[str, Any]:
    """Read attributes as a dict."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@dataclass(kw_only=True)
class Collector:
    """All that arrived."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    #: Of what is no trace.
    others: dict[str, list[bytes]] = field(default_factory=dict)

    def spans(self, name: str) -> list[Exported]:
        """List the spans of this name."""
        return [each for each in self._all() if each.span.name == name]

    def one(self, name: str) -> Exported | None:
        """Answer the only span of this name; None while there is none."""
        found = self.spans(name)
        assert len(found) <= 1, f"{len(found)} spans are named {name}"
        return found[0] if found else None

    def _all(self) -> Iterator[Exported]:
        for body in self.bodies:
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in group.scope_spans:
                    for span in scope.spans:
                        yield Exported(span, plain(group.resource.attributes))


@contextmanager
def collecting() -> Iterator[Collector]:
    """Listen on a free port of the loopback."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.paths.add(self.path)
            collector.headers.append(dict(self.headers))
            if self.path in {"/v1/metrics", "/v1/logs"}:
                collector.others.setdefault(self.path, []).append(body)
            else:
                collector.bodies.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield collector
        finally:
            server.shutdown()
