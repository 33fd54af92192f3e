"""Write log lines, as JSON for machines or as text on a terminal, without personal data and secrets.

An exception is logged with its type and its positions in the code, never with its message: a message may quote data.
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

from app.core.deliveries import RESULT_NAMES, Delivered, Settlement
from app.core.values.texts import visible
from app.errors import OutboxUnavailable, PinrelayError

Format = Literal["auto", "json", "text"]

#: Maximum size of an atomic write to a pipe that several processes share (PIPE_BUF of Linux).
_ATOMIC_BYTES = 4_096
#: The first HTTP status that reports an error.
_FIRST_ERROR_STATUS = 400


class _StandardError:
    """Write to standard error, and ignore errors: a closed reader must not stop the process."""

    def write(self, text: str) -> None:
        """Write a text."""
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        """Flush standard error."""
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def _discard_unread_log() -> None:
    """Redirect standard error to /dev/null if its reader is closed: otherwise Python 3.12 exits with code 120."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    except ValueError:  # it is closed
        pass


#: Maximum length of a text in a line, in characters; a longer text is cut.
_MAX_TEXT = 1_000

_STDERR = _StandardError()
#: Lines of the requests of the current turn of each event loop, each with its level.
_requests: dict[asyncio.AbstractEventLoop, list[tuple[int, dict[str, Any]]]] = {}
#: Functions that receive the fields of each line, in addition to standard error.
log_takers: list[Callable[[Mapping[str, Any]], None]] = []
#: Which requests and deliveries without a fault are logged: each N-th; 0 for none.
_successes = {"each": 1, "seen": 0}
_stamped = structlog.processors.TimeStamper(fmt="iso", utc=True)


def configure_logging(style: Format, level: str, *, successes_each: int = 1) -> None:
    """Send the logs of Pinrelay and of its libraries to standard error, in one style.

    Of requests and deliveries without a fault, each `successes_each`-th is logged; none if it is 0.
    """
    _successes.update(each=successes_each, seen=0)
    atexit.unregister(_discard_unread_log)  # a single registration is enough
    atexit.register(_discard_unread_log)
    as_text = style == "text" or (style == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        _stamped,
        _without_messages_of_exceptions,
        _cut_texts,
        _hand_on,
    ]
    renderer: Processor = _as_text(structlog.dev.ConsoleRenderer()) if as_text else _as_json
    structlog.configure(  # directly to the stream: the logging module would double the cost of a line
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
    for name in ("httpx", "httpcore", "uvicorn.access"):  # they would log the address of every call
        logging.getLogger(name).setLevel(logging.WARNING)


def _as_json(_: Any, __: str, entry: EventDict) -> str:
    return orjson.dumps(entry, default=str).decode()


def _as_text(render: Processor) -> Processor:
    """Return a processor that writes a line for a terminal and makes control characters visible."""

    def write(log: Any, method: str, entry: EventDict) -> Any:
        shown = {name: visible(value) if isinstance(value, str) else value for name, value in entry.items()}
        return render(log, method, shown)

    return write


def logger() -> FilteringBoundLogger:
    """Return the logger of Pinrelay: `logger().info("what happened", fact=value)`."""
    log: FilteringBoundLogger = structlog.get_logger()
    return log


def log_error(error: Exception) -> None:
    """Log an error of background work, which starts again; for an unavailable outbox with the reason and the remedy."""
    if isinstance(error, OutboxUnavailable):
        logger().error("outbox unavailable", why=error.why, message=str(error))
    else:
        logger().error("background error", exc_info=error)


def log_cannot_start(error: PinrelayError) -> None:
    """Log why the server cannot start, without the traceback that uvicorn would log, because it contains messages."""
    logger().error("cannot start", faults=str(error).splitlines())
    logging.getLogger("uvicorn.error").addFilter(lambda record: not str(record.msg).startswith("Traceback"))


def log_secrets_kept(faults: str) -> None:
    """Log why changed files of secrets are not reloaded; `faults` contains no secret."""
    logger().error("secrets not reloaded", faults=faults.splitlines())


def log_addresses_kept(fault: str) -> None:
    """Log why a changed file of GEOIP_DB is not read; the previous one stays in use."""
    logger().error("addresses not reloaded", faults=[fault])


@contextmanager
def log_migration(found: int, wanted: int) -> Iterator[None]:
    """Log the start and the end of a migration of the schema, unless the store is new."""
    if found:
        logger().warning("migration started", from_version=found, to_version=wanted)
    yield
    if found:
        logger().warning("migration finished", from_version=found, to_version=wanted)


def log_reports(ad_account_id: str, why: str) -> None:
    """Log why Pinterest's reports of an ad account cannot be read, with the remedy."""
    logger().warning("reports unavailable", ad_account_id=ad_account_id, why=why)


def log_restart_needed(notice: str) -> None:
    """Log that files have changed which are read only at the start; `notice` names the files and the remedy."""
    logger().warning("restart needed", notice=notice)


def log_failing_tests(faults: Iterable[object]) -> None:
    """Log the failing tests of presets, mappings and sources, unless all pass."""
    if texts := [str(fault) for fault in faults]:
        logger().warning("tests fail", faults=texts)


def log_request(level: int, *, method: str, route: str, status: int, duration_s: float, **more: Any) -> None:
    """Log a line for a request with its answer; `route` is the pattern, never the path.

    Lines of a turn of the event loop are written together at its end, because a write costs more than the formatting of
    a line.
    """
    if not logging.getLogger().isEnabledFor(level) or (status < _FIRST_ERROR_STATUS and not _is_next_logged()):
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
    """Log a line for each attempt; `duration_s` is the duration of the call."""
    if logging.getLogger().isEnabledFor(logging.INFO):  # formatting a line costs more than writing it
        duration_ms = round(duration_s * 1000)
        logged = (each for each in settlements if not _is_success(each) or _is_next_logged())
        _write([_attempt(settlement, duration_ms) for settlement in logged], logging.INFO)


def _is_success(settlement: Settlement) -> bool:
    return isinstance(settlement.result, Delivered) and not settlement.result.warning


def _is_next_logged() -> bool:
    """Count a success, and return whether it is logged: the first and then each N-th."""
    _successes["seen"] += 1
    return _successes["each"] > 0 and (_successes["seen"] - 1) % _successes["each"] == 0


def _write(entries: Iterable[dict[str, Any]], level: int) -> None:
    """Write many lines at once, without the logger's cost for each line: a process logs thousands a second."""
    stamp = _stamped(None, "", {"level": logging.getLevelName(level).lower()})
    *_, render = structlog.get_config()["processors"]
    piece: list[str] = []
    size_bytes = 0
    for entry in entries:
        entry.update(stamp)
        line = f"{render(None, '', _hand_on(None, '', entry))}\n"
        line_bytes = len(line) if line.isascii() else len(line.encode())
        if size_bytes + line_bytes > _ATOMIC_BYTES:
            _STDERR.write("".join(piece))
            piece, size_bytes = [], 0
        piece.append(line)
        size_bytes += line_bytes
    _STDERR.write("".join(piece))


def _attempt(settlement: Settlement, duration_ms: int) -> dict[str, Any]:
    claimed, result = settlement.claimed, settlement.result
    return {
        "event": "delivery attempted",
        "preset": claimed.preset,
        "message_id": claimed.message_id,
        "event_name": claimed.event_name,
        "event_id": claimed.event_id,
        "ad_account_id": claimed.ad_account_id,
        "attempt": claimed.attempt,
        "result": str(RESULT_NAMES[type(result)]),  # of an enum, `value` is a call
        "state": str(settlement.state),
        "status": result.status,
        "reason": cut(result.warning if isinstance(result, Delivered) else result.reason),
        "due_at": settlement.due_at,
        "duration_ms": duration_ms,
        **_trace_ids(claimed.traceparent),
    }


def _trace_ids(traceparent: str | None) -> dict[str, str]:
    """Return the ids of trace and span in a `traceparent` (W3C Trace Context); no ids if it is `None`."""
    if traceparent is None:
        return {}
    _, trace_id, span_id, _ = traceparent.split("-")
    return {"trace_id": trace_id, "span_id": span_id}


def cut(text: str) -> str:
    """Return a text for a log line, cut to a thousand characters."""
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


def _cut_texts(_: Any, __: str, entry: EventDict) -> EventDict:
    """Cut each text of a line."""
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
