"""Orders are read from SQLite, S3 and the web, by extensions that are installed as packages."""

import logging
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.commands.conftest import Run
from tests.commands.places import CSV, ROWS, TABLE, Place, assert_read, assert_refused

pytestmark = pytest.mark.slow


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that do not trust it."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[_Server, Path]]:
    """A server of the files of a folder, that does not listen yet to anybody but itself."""
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "orders.csv").write_text(CSV)
    with _Server(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server, folder
        server.shutdown()
        thread.join()


@pytest.fixture
def http(web: tuple[_Server, Path]) -> Place:
    return Place(where=f"http://127.0.0.1:{web[0].server_port}/orders.csv?token=s3cret.x")


@pytest.fixture
def https(web: tuple[_Server, Path], tmp_path: Path) -> Place:
    """Its certificate is trusted by SSL_CERT_FILE, as Python trusts it."""
    server, _ = web
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    where = f"https://localhost:{server.server_port}/orders.csv?token=s3cret.x"
    return Place(where=where, environment={"SSL_CERT_FILE": str(certificate)})


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - half a second, where it is wanted

    # It serves in this process, and what it logs is none of a command's lines.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for path, content in (("/shop", ""), ("/shop/orders.csv", CSV)):
            assert client.put(path, content=content).status_code == 200
    yield f"127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def s3(s3_address: str) -> Place:
    where = f"s3://shop/orders.csv?s3_endpoint={s3_address}&s3_use_ssl=false&s3_url_style=path"
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "s3cret.x", "AWS_REGION": "eu-central-1"}
    return Place(where=where, environment=keys)


@pytest.fixture
def s3_query(s3: Place) -> Place:
    """Of all files that are so named."""
    address = s3.where.replace("orders", "*")
    return Place(where="", query=f"SELECT * FROM read_csv('{address}')", environment=s3.environment)


@pytest.fixture
def sqlite(tmp_path: Path) -> Place:
    file = tmp_path / "shop.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(f"{TABLE}; INSERT INTO orders VALUES {ROWS}")
    return Place(where=f"sqlite://{file}", query="SELECT * FROM orders")


@pytest.mark.parametrize("place", ["http", "https", "s3", "s3_query", "sqlite"])
def test_orders_are_read_where_they_lie(run: Run, tmp_path: Path, request: pytest.FixtureRequest, place: str) -> None:
    assert_read(run, tmp_path, request.getfixturevalue(place))


@pytest.fixture
def https_untrusted(https: Place) -> Place:
    return Place(where=https.where)


@pytest.fixture
def http_gone(http: Place) -> Place:
    return Place(where=http.where.replace("orders", "gone"))


@pytest.fixture
def s3_denied(s3: Place) -> Place:
    return Place(where=s3.where, environment={"AWS_EC2_METADATA_DISABLED": "true"})


@pytest.fixture
def sqlite_gone(sqlite: Place) -> Place:
    return Place(where=f"{sqlite.where}.gone", query=sqlite.query)


@pytest.fixture
def sqlite_whole(sqlite: Place) -> Place:
    return Place(where=sqlite.where)


@pytest.fixture
def mysql_away() -> Place:
    return Place(where="mysql://shop:s3cret.x@127.0.0.1:1/shop", query="SELECT * FROM orders")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("https_untrusted", "the rows cannot be read (IO)"),
        ("http_gone", "the rows cannot be read (HTTP 404)"),
        ("s3_denied", "the rows cannot be read (HTTP 403). Look at the address and the permission to read it"),
        ("sqlite_gone", "there is no such file"),
        ("sqlite_whole", "a database needs --query"),
        ("mysql_away", "the database cannot be opened (IOException). Check the address and the login"),
    ],
)
def test_what_cannot_be_read_is_told_without_what_is_secret(
    run: Run, request: pytest.FixtureRequest, place: str, told: str
) -> None:
    assert_refused(run, request.getfixturevalue(place), told, "s3cret", "127.0.0.1", "localhost")


@pytest.mark.parametrize(("place", "name"), [("s3", "httpfs"), ("sqlite", "sqlite_scanner"), ("s3_query", "httpfs")])
def test_an_extension_that_is_not_installed_is_told_and_not_fetched(
    run: Run, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, place: str, name: str
) -> None:
    monkeypatch.setitem(sys.modules, f"duckdb_extension_{name}", None)
    told = f"this needs the extra `warehouse`, with `{name}` for DuckDB: pip install 'pinrelay[warehouse]'"
    assert_refused(run, request.getfixturevalue(place), told, "s3cret")
