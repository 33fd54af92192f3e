"""`pinrelay` with other technical limits than those of `TechnicalLimits`, so that tests of whole processes are short.

    TEST_LIMITS='{"send_timeout_s": 1}' python -m tests.limited serve

The limits apply when this module is imported, so they also apply in the worker processes that it starts.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from app.cli import main
from app.config.settings import RoomSettings, TechnicalLimits

VARIABLE = "TEST_LIMITS"
#: The same program, without a forked process.
COMMAND = (sys.executable, "-m", "tests.limited")
_NAMES = {field.name for field in fields(TechnicalLimits)}


def split_limits(changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the changes to settings, and the changes to technical limits."""
    return (
        {name: value for name, value in changes.items() if name not in _NAMES},
        {name: value for name, value in changes.items() if name in _NAMES},
    )


if VARIABLE in os.environ:
    # Each command reads the settings itself; this is the default of all of them.
    _default: Any = RoomSettings.__private_attributes__["_limits"]
    _default.default = TechnicalLimits(**json.loads(os.environ[VARIABLE]))

if __name__ == "__main__":
    main()
