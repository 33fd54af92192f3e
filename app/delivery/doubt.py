"""While one batch was refused and nothing was accepted yet, nothing else is sent: it may be that all are refused."""

import asyncio


class Doubt:
    """At most one batch at a time is searched in doubt; the others wait for what becomes of it."""

    def __init__(self) -> None:
        self._of: object | None = None
        self._is_over = asyncio.Event()
        self._is_over.set()

    def is_about_another(self, search: object) -> bool:
        """Return whether another batch is searched in doubt."""
        return self._of not in (None, search)

    async def over_for(self, search: object) -> None:
        """Wait until no other batch is searched in doubt."""
        while self.is_about_another(search):
            await self._is_over.wait()

    def update(self, search: object, *, is_in_doubt: bool) -> None:
        """Note whether this batch is searched in doubt; ignored while another is."""
        if self.is_about_another(search):
            return
        if is_in_doubt:
            self._of = search
            self._is_over.clear()
        else:
            self._of = None
            self._is_over.set()
