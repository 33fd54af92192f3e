"""Logs: one line a fact, JSON for machines, text on a terminal; no personal data and no secrets in either.

An exception is logged by its type and the places it passed, never by its message: messages may quote data.
"""

import asyncio
import atexit
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from app.core.deliveries import EXIT_OF, Delivered, Settlement
from app.core.values.texts import visible
from app.errors import OutboxUnavailable, PinrelayError

Format = Literal["auto", "json", "text"]

#: What is written at once to a pipe that several processes share arrives in one piece up to here (PIPE_BUF of Linux).
_ATOMIC_BYTES = 4_096


class _StandardError:
    """Standard error while somebody reads it: a log that is gone must not end what it tells of."""

    def write(self, text: str) -> None:
        """Write a text, and flush where it ends a line."""
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        """Flush standard error; one that is closed is no error."""
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def _let_go() -> None:
    """Turn a log that nobody reads any more to nowhere before Python's last flush: else Python 3.12 exits with 120."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    except ValueError:  # it is closed
        pass


#: Of one text in a line; what is longer is cut.
_MAX_TEXT = 1_000

_STDERR = _StandardError()
#: What is to be logged of the requests of the current turn of an event loop, each line with its level.
_requests: dict[asyncio.AbstractEventLoop, list[tuple[int, dict[str, Any]]]] = {}
#: What is handed each line, as facts, beside standard error.
log_takers: list[Callable[[Mapping[str, Any]], None]] = []
_stamped = structlog.processors.TimeStamper(fmt="iso", utc=True)


def configure_logging(style: Format, level: str) -> None:
    """Send the logs of Pinrelay and of its libraries to standard error, in one style."""
    atexit.unregister(_let_go)  # once is enough
    atexit.register(_let_go)
    as_text = style == "text" or (style == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        _stamped,
        _without_messages_of_exceptions,
        _cut_texts,
        _hand_on,
    ]
    renderer: Processor = _as_text(structlog.dev.ConsoleRenderer()) if as_text else _as_json
    structlog.configure(  # straight to the stream: the logging module would double the cost of a line
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(_STDERR),  # type: ignore[arg-type] # it has all that is used
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in ("httpx", "httpcore", "uvicorn.access"):  # they would log addresses of every call
        logging.getLogger(name).setLevel(logging.WARNING)


def _as_json(_: Any, __: str, entry: EventDict) -> str:
    return orjson.dumps(entry, default=str).decode()


def _as_text(render: Processor) -> Processor:
    """Return what writes a line for a terminal: nothing in it moves the cursor or colours what follows."""

    def write(log: Any, method: str, entry: EventDict) -> Any:
        shown = {name: visible(value) if isinstance(value, str) else value for name, value in entry.items()}
        return render(log, method, shown)

    return write


def logger() -> FilteringBoundLogger:
    """Return the logger of Pinrelay: `logger().info("what happened", fact=value)`."""
    log: FilteringBoundLogger = structlog.get_logger()
    return log


def log_error(error: Exception) -> None:
    """Log an error of background work, which starts again; of an unavailable outbox the reason and the remedy."""
    if isinstance(error, OutboxUnavailable):
        logger().error("outbox unavailable", why=error.why, message=str(error))
    else:
        logger().error("background error", exc_info=error)


def log_cannot_start(error: PinrelayError) -> None:
    """Log why a server ends at its start; the traceback that it would log itself, with messages, is kept out."""
    logger().error("cannot start", faults=str(error).splitlines())
    logging.getLogger("uvicorn.error").addFilter(lambda record: not str(record.msg).startswith("Traceback"))


def log_secrets_kept(faults: str) -> None:
    """Log why changed files of secrets are not reloaded; `faults` holds no value."""
    logger().error("secrets not reloaded", faults=faults.splitlines())


def log_addresses_kept(fault: str) -> None:
    """Log why a changed file of GEOIP_DB is not read; the previous one stays in use."""
    logger().error("addresses not reloaded", faults=[fault])


@contextmanager
def log_migration(found: int, wanted: int) -> Iterator[None]:
    """Log that a store's schema is brought from one version to another, and that it is done; not of a new store."""
    if found:
        logger().warning("migration started", from_version=found, to_version=wanted)
    yield
    if found:
        logger().warning("migration finished", from_version=found, to_version=wanted)


def log_reports(ad_account_id: str, why: str) -> None:
    """Log why Pinterest's own figures of an ad account cannot be read, and what helps."""
    logger().warning("reports unavailable", ad_account_id=ad_account_id, why=why)


def log_restart_needed(notice: str) -> None:
    """Log that files which are read at the start only have changed; `notice` says which, and what to do."""
    logger().warning("restart needed", notice=notice)


def log_failing_tests(faults: Iterable[object]) -> None:
    """Log the tests of presets, mappings and sources that fail at a start; nothing where all pass."""
    if told := [str(fault) for fault in faults]:
        logger().warning("tests fail", faults=told)


def log_request(level: int, *, method: str, route: str, status: int, duration_s: float, **more: Any) -> None:
    """Log one line for a request that was answered; `route` is the pattern, never the path.

    Lines of one turn of the event loop are written at its end, together: a write costs more than making the line.
    """
    if not logging.getLogger().isEnabledFor(level):
        return
    facts = {"method": method, "route": route, "status": status, "duration_ms": round(duration_s * 1000, 1)}
    loop = asyncio.get_running_loop()
    if loop not in _requests:
        _requests[loop] = []
        loop.call_soon(_write_requests, loop)
    _requests[loop].append((level, {"event": "request", **facts, **more}))


def _write_requests(loop: asyncio.AbstractEventLoop) -> None:
    for level, lines in groupby(_requests.pop(loop), key=itemgetter(0)):
        _write([entry for _, entry in lines], level)


def log_attempts(settlements: Iterable[Settlement], *, duration_s: float) -> None:
    """Log one line an attempt, with all that is known of it and may be shown; `duration_s` is that of the call."""
    if logging.getLogger().isEnabledFor(logging.INFO):  # else making the lines would cost most of what logging costs
        duration_ms = round(duration_s * 1000)
        _write([_attempt(settlement, duration_ms) for settlement in settlements], logging.INFO)


def _write(entries: Iterable[dict[str, Any]], level: int) -> None:
    """Write lines as the logger does, many at once and without its ceremony: a process logs thousands a second."""
    told = _stamped(None, "", {"level": logging.getLevelName(level).lower()})
    *_, render = structlog.get_config()["processors"]
    piece: list[str] = []
    size_bytes = 0
    for entry in entries:
        entry.update(told)
        line = f"{render(None, '', _hand_on(None, '', entry))}\n"
        line_bytes = len(line) if line.isascii() else len(line.encode())
        if size_bytes + line_bytes > _ATOMIC_BYTES:
            _STDERR.write("".join(piece))
            piece, size_bytes = [], 0
        piece.append(line)
        size_bytes += line_bytes
    _STDERR.write("".join(piece))


def _attempt(settlement: Settlement, duration_ms: int) -> dict[str, Any]:
    claimed, outcome = settlement.claimed, settlement.outcome
    return {
        "event": "delivery attempted",
        "preset": claimed.preset,
        "message_id": claimed.message_id,
        "event_name": claimed.event_name,
        "event_id": claimed.event_id,
        "ad_account_id": claimed.ad_account_id,
        "attempt": claimed.attempt,
        "outcome": str(EXIT_OF[type(outcome)]),  # of an enum, `value` is a call
        "state": str(settlement.state),
        "status": outcome.status,
        "reason": cut(outcome.warning if isinstance(outcome, Delivered) else outcome.reason),
        "due_at": settlement.due_at,
        "duration_ms": duration_ms,
    }


def cut(text: str) -> str:
    """Return a text as it may stand in a line of the log: what goes beyond a thousand characters is cut off."""
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


def _cut_texts(_: Any, __: str, entry: EventDict) -> EventDict:
    """Cut every text of a line; no line of ours has many."""
    return {name: cut(value) if isinstance(value, str) else value for name, value in entry.items()}


def _hand_on(_: Any, __: str, entry: EventDict) -> EventDict:
    for take in log_takers:
        take(entry)
    return entry


def _without_messages_of_exceptions(_: Any, __: str, entry: EventDict) -> EventDict:
    error = entry.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        entry["error"] = type(error).__name__
        entry["places"] = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)[-12:]
        ]
    return entry
