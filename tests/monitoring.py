"""Lets coverage measure by `sys.monitoring` on Python 3.12 and 3.13, as it does by itself from 3.14 on.

Coverage's other tracer is called for each line of all code. This one is called once for each line of `app`. Before
3.14 one event tells of both ways of a branch: it comes until both were seen, or until the branch went the same way
often enough in one test. Most branches go one way only, and inner loops ask them a million times.
"""

import dis
import sys
from collections.abc import Callable
from types import CodeType
from typing import Any, ClassVar

import coverage.bytecode
import coverage.core
from coverage import env
from coverage.sysmon import SysMonitor

#: How often a branch goes the same way in one test before it is left alone until the next test.
_ENOUGH = 200
#: Stands for the place where a branch went of which both ways were seen; no instruction has it.
_BOTH_WAYS = -1


class _Monitor(SysMonitor):
    #: The one that measures this process.
    running: ClassVar["_Monitor | None"] = None

    def __init__(self) -> None:
        super().__init__()
        #: Code and place of a branch -> the way that it went first.
        self._went: dict[tuple[int, int], int] = {}
        #: How often it went that way again, in this test.
        self._again: dict[tuple[int, int], int] = {}
        #: A process without tests, such as a server, never has enough.
        self._enough = sys.maxsize
        #: Code some of whose branches are left alone.
        self._left_alone: set[CodeType] = set()

    def start(self) -> None:
        """Begin to measure."""
        super().start()
        sys.monitoring.register_callback(self.myid, sys.monitoring.events.BRANCH, self._branch_callback())
        _Monitor.running = self

    def begin_test(self) -> None:
        """Look at all branches anew."""
        self._enough = _ENOUGH
        self._again.clear()
        events = sys.monitoring.events
        for code in self._left_alone:
            sys.monitoring.set_local_events(self.myid, code, 0)  # else the same events again would change nothing
            sys.monitoring.set_local_events(self.myid, code, events.LINE | events.PY_RETURN | events.BRANCH)
        self._left_alone.clear()

    def _branch_callback(self) -> Callable[[CodeType, int, int], Any]:
        """Return what notes each way of a branch once: it is called so often that the look-ups of a method count."""
        went, again, code_infos, left_alone = self._went, self._again, self.code_infos, self._left_alone
        note, disable = super().sysmon_branch_either, sys.monitoring.DISABLE

        def on_branch(code: CodeType, offset: int, destination: int) -> Any:
            place = (id(code), offset)
            first = went.get(place)
            if first == destination:
                again[place] = count = again.get(place, 0) + 1
                if count < self._enough:
                    return None
                left_alone.add(code)
                return disable
            if first == _BOTH_WAYS:
                return disable
            if id(code) in code_infos:  # else a monitor before this one asked for it, and the code still runs
                note(code, offset, destination)
            went[place] = destination if first is None else _BOTH_WAYS
            return None if first is None else disable

        return on_branch

    def sysmon_line_arcs(self, code: CodeType, line_number: int) -> Any:
        """Note a line."""
        return super().sysmon_line_arcs(code, line_number) if id(code) in self.code_infos else None

    def sysmon_py_return(self, code: CodeType, instruction_offset: int, retval: object) -> Any:
        """Note the end of a function."""
        return super().sysmon_py_return(code, instruction_offset, retval) if id(code) in self.code_infos else None


def begin_test() -> None:
    """Tell whoever measures this process that a test begins."""
    if _Monitor.running and _Monitor.running.sysmon_on:
        _Monitor.running.begin_test()


def measure_by_events() -> None:
    """Choose it where coverage would not."""
    if (3, 12) <= sys.version_info < (3, 14):
        events: Any = sys.monitoring.events
        events.BRANCH_LEFT = events.BRANCH_RIGHT = events.BRANCH
        env.PYBEHAVIOR.branch_right_left = True
        env.SYSMON_DEFAULT = True
        core: Any = coverage.core
        core.SysMonitor = _Monitor
        coverage.bytecode.RETURNS.add(dis.opmap["RETURN_CONST"])
