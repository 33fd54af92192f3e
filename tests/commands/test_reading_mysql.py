"""Orders are read from a MySQL: a MariaDB of the distribution, which not every machine has."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.conftest import Run
from tests.commands.places import ROWS, TABLE, Place, assert_read, assert_refused
from tests.process import PATH, free_port
from tests.waiting import until

pytestmark = [pytest.mark.prove, pytest.mark.whole]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Place]:
    """A server with the orders, and somebody who may only read them."""
    if not all(shutil.which(program, path=PATH) for program in ("mariadbd", "mariadb-install-db", "mariadb")):
        pytest.skip("there is no MariaDB: apt-get install mariadb-server")
    data, socket, port = tmp_path / "data", tmp_path / "s", free_port()
    whose = ["--user=root"] if os.geteuid() == 0 else []
    options = ["--no-defaults", f"--datadir={data}", *whose]
    install = ["mariadb-install-db", *options, "--auth-root-authentication-method=normal", "--skip-test-db"]
    environment = {"PATH": PATH}
    subprocess.run(install, env=environment, check=True, capture_output=True)
    sql = f"""
        CREATE DATABASE shop; USE shop; {TABLE}; INSERT INTO orders VALUES {ROWS};
        CREATE USER reader@'127.0.0.1' IDENTIFIED BY 's3cret.x'; GRANT SELECT ON shop.* TO reader@'127.0.0.1';
    """
    serve = ["mariadbd", *options, f"--socket={socket}", f"--port={port}", "--bind-address=127.0.0.1"]
    ask = ["mariadb", "--no-defaults", f"--socket={socket}", "--user=root"]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(serve, env=environment, stderr=log) as server:
        try:
            until(
                lambda: (
                    subprocess.run(ask, env=environment, stdin=subprocess.DEVNULL, stderr=log, check=False).returncode
                    == 0
                ),
                30,
            )
            subprocess.run(ask, env=environment, input=sql.encode(), check=True, capture_output=True)
            yield Place(where=f"mysql://reader:s3cret.x@127.0.0.1:{port}/shop", query="SELECT * FROM orders")
        finally:
            server.terminate()


def test_orders_are_read_from_mysql(run: Run, tmp_path: Path, shop: Place) -> None:
    unnamed = shop.where.replace(":s3cret.x", "")
    assert_read(run, tmp_path, Place(where=unnamed, query=shop.query, environment={"MYSQL_PWD": "s3cret.x"}))
    nobody = Place(where=shop.where.replace("s3cret", "s3cretly"), query=shop.query)
    assert_refused(run, nobody, "the database cannot be opened (IOException)", "s3cret", "127.0.0.1")
    unknown = Place(where=shop.where, query="SELECT * FROM nowhere")
    assert_refused(run, unknown, "Table with name nowhere does not exist", "s3cret", "127.0.0.1")
    writing = Place(where=shop.where, query="DELETE FROM orders RETURNING *")
    assert_refused(run, writing, "the rows cannot be read (Parser)", "s3cret")
