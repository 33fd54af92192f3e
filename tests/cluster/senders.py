"""Senders of events that never give up: every batch is posted until it is answered 200."""

import itertools
import secrets
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import httpx

EVENTS_A_BATCH = 20
_PAUSE_S = 0.05


def pages(ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return a page event for each message id."""
    context = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0"}
    return [{"type": "page", "messageId": each, "context": context} for each in ids]


class Senders:
    """A few threads that post on entry, and are done with their last batch on exit."""

    def __init__(self, urls: Sequence[str], *, threads: int = 3) -> None:
        self._urls = itertools.cycle(urls)
        #: Every message id begins so.
        self.prefix = f"page-{secrets.token_hex(4)}-"
        self._ids = itertools.count()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._given_up = threading.Event()
        #: Answered 200, in order.
        self.acknowledged: list[str] = []
        #: By status; 0 stands for no answer at all.
        self.answers: Counter[int] = Counter()
        #: Answers of 503 that did not say when to come again.
        self.without_retry_after = 0
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        self._ending.set()
        if failed:  # the server may be gone for good
            self._given_up.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=30, trust_env=False) as http:
            while not self._ending.is_set():
                with self._lock:
                    ids = [f"{self.prefix}{next(self._ids)}" for _ in range(EVENTS_A_BATCH)]
                self._post(http, ids)

    def _post(self, http: httpx.Client, ids: list[str]) -> None:
        while not self._given_up.is_set():
            with self._lock:
                url = next(self._urls)
            try:
                answer = http.post(f"{url}/webhook", json=pages(ids))
            except httpx.HTTPError:
                status = 0
            else:
                status = answer.status_code
            with self._lock:
                self.answers[status] += 1
                if status == 200:
                    self.acknowledged += ids
                    return
                self.without_retry_after += status == 503 and "retry-after" not in answer.headers
            time.sleep(_PAUSE_S)
