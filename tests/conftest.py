"""What every test may use."""

import gc
import itertools
import logging
import os
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, configuration, settings

from app.core.log import configure_logging
from tests.disks import fast_folder
from tests.monitoring import begin_test, measure_by_events
from tests.outbox.postgres_server import PostgresServer
from tests.outside import forbid
from tests.process import PINRELAY, ROOT, Program, Server, measuring, server_environment
from tests.rounds import LEVEL, Kind, examples, rounds_of
from tests.tools import need_postgres

FIGURE = "figure"
#: What `make quick` leaves out as a whole: programs, whole commands, whole applications.
_NOT_QUICK = (
    "api",
    "bench",
    "browser",
    "cluster",
    "commands",
    "packaging",
    "sdk",
    "sender",
    "simulation",
    "test_openapi.py",
    "warehouse",
    "web",
    "whole",
)
assert all((ROOT / "tests" / name).exists() for name in _NOT_QUICK if name != "api"), "a room has another name now"
collect_ignore = [*_NOT_QUICK] if LEVEL == "quick" else []
#: What takes long by nature even once, or needs the tools of `make prove`.
_BY_PROVE = (
    "bench/test_delivery.py",
    "cluster",
    "commands/test_reading_mysql.py",
    "examples/test_scripts.py",
    "fuzz",
    "identity/test_mutants.py",
    *(
        f"packaging/test_{name}.py"
        for name in ("deploy", "image", "image_steps", "new_user", "openapi_lint", "release", "site")
    ),
    "simulation/test_mutants.py",
    "whole/test_soak.py",
    "whole/test_worker_deaths.py",
)
if LEVEL != "prove":
    collect_ignore += _BY_PROVE
#: Fixtures that start a program.
_STARTERS = {"start_server", "postgres_server"}
#: Files that take or wait long, whose work begins first, lest the others wait for them at the end.
_LONG = (
    "tests/examples/test_runbooks",
    "tests/test_contributing",
    "tests/whole/test_processes",
    "tests/whole/test_faults",
    "tests/web/test_bounded_connection",
    "tests/commands/test_pairs",
    "tests/commands/test_programs",
    "tests/simulation/",
    "tests/browser/",
    "tests/sender/",
)

#: Where `tmp_path` is.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", fast_folder())
forbid()
measure_by_events()

configuration.set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")
settings.register_profile(
    "any machine",
    deadline=None,  # a busy machine is no fault of the code
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=examples(100),
)
settings.load_profile("any machine")


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Take more processes than there are cores where tests wait for programs; each collects all tests in 5 s of CPU."""
    return (yield) + (0 if LEVEL == "quick" else 2)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Keep the garbage collector from what is collected here: thousands of tests, none of which ever goes.

    It would look through them again and again; each application that a test starts looks at once.
    """
    gc.disable()
    worker = getattr(session.config, "workerinput", None)  # a pytest that a test starts has none, but the environment
    if worker is not None and not list(ROOT.glob("tests/__pycache__/test_*-pytest-*.pyc")):
        _compile_in_turn(int(worker["workerid"].removeprefix("gw")), worker["workercount"])
    collected = yield
    gc.freeze()
    gc.enable()
    return collected


def _compile_in_turn(worker: int, count: int) -> None:
    """Import the tests for the first time, each process beginning elsewhere: what one has compiled, all others read."""
    files = [file.relative_to(ROOT).with_suffix("") for file in sorted(ROOT.glob("tests/**/test_*.py"))]
    ignored = {ROOT / "tests" / name for name in collect_ignore}
    begin = worker * len(files) // count
    for file in files[begin:] + files[:begin]:
        with suppress(Exception):  # it is told when the file is collected
            if not ignored & {*(ROOT / file).parents, ROOT / f"{file}.py"}:
                import_module(".".join(file.parts))


def pytest_runtest_logstart() -> None:
    """Let coverage look at all branches anew."""
    begin_test()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they do (the marks stand in pyproject.toml), and put those that take long first."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("prove")
        if item.nodeid.startswith("tests/cluster/"):
            item.add_marker(pytest.mark.xdist_group("cluster"))  # `make prove` gives each test to whoever is idle
        if _STARTERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("whole")
    items.sort(key=lambda item: (not item.nodeid.startswith(_LONG), item.get_closest_marker("whole") is None))


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[[Kind], int]:
    """`rounds("kills")` is how often to do what takes long by nature: see tests/rounds.py."""
    assert request.node.get_closest_marker("prove"), "`make prove` would not find it: mark it `prove`"
    return rounds_of


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests of this process; one that is killed or frozen is a test's own."""
    need_postgres()
    with PostgresServer() as server:
        yield server


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def start_server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Server]]:
    """`start_server(setting=value, ...)` starts `pinrelay serve` with these settings only, and returns it.

    Without settings: sandbox mode, a free port, the outbox in the test's own folder.
    Whatever still runs when the test ends is stopped. Coverage measures it where the test is marked `measured`.
    """
    measure = measuring() if request.node.get_closest_marker("measured") else {}
    with ExitStack() as cleanup:
        counter = itertools.count()

        def start(
            *, arguments: tuple[str, ...] = ("serve",), program: Program = PINRELAY, **settings: object
        ) -> Server:
            environment = server_environment(tmp_path, **settings) | measure
            log_path = tmp_path / f"server-{next(counter)}.log"
            server = Server(
                port=int(environment["PORT"]),
                environment=environment,
                log_path=log_path,
                arguments=arguments,
                program=program,
            )
            cleanup.callback(server.end)
            server.start()
            return server

        yield start


@pytest.fixture
def server(start_server: Callable[..., Server]) -> Server:
    """A server in sandbox mode."""
    return start_server()


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Take back what the test makes of the logs by `configure_logging`."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    configure_logging("auto", "info")
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def record_figure(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """`record_figure("trigger vectors", "712 of 712 hold")` is printed when all tests have run."""

    def record(name: str, text: object) -> None:
        request.node.user_properties.append((FIGURE, f"{name}: {text}"))

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded, in whichever process they ran."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    figures = {
        text
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, text in report.user_properties
        if name == FIGURE
    }
    if figures:
        terminalreporter.section("figures")
        for text in sorted(figures):
            terminalreporter.write_line(text)
