"""The rules of `app.identity`, each time with one thing in them wrong: whatever the tests let pass is not tested.

A mutant is the source of the room with one comparison, condition, number, operand or statement changed.
"""

import ast
import importlib
import importlib.abc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from importlib.machinery import ModuleSpec
from itertools import islice
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from tests.process import ROOT

ROOM = ROOT / "app/identity"
NAME = "mutated_identity"
_COMPARED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
#: Rows of `app.identity.memory` as they are read and written: `test_loaded_memory.py` checks these, without rules.
_ROWS = {"LoadedMemory", "_only_renews", "_renews", "_NOTHING_FOUND", "_PARTS"}
_CALLED = {"max": "min", "min": "max", "any": "all", "all": "any"}


class Mutant(NamedTuple):
    """One change."""

    module: str
    #: What is changed, as it stands and as it is then.
    before: str
    after: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """What is changed, by the first line of each."""
        return f"{self.module}: {self.before.splitlines()[0]} -> {self.after.splitlines()[0]}"


def modules() -> list[str]:
    """Return the names of all modules of the package."""
    return sorted(path.stem for path in ROOM.glob("*.py") if path.stem != "__init__")


@cache
def source(module: str) -> str:
    """The source of a module of the room, which imports the mutated one."""
    return (ROOM / f"{module}.py").read_text(encoding="utf-8").replace("app.identity", NAME)


def mutants(module: str) -> Iterator[Mutant]:
    """Every mutant of one module."""
    tree = ast.parse(source(module))
    looked_at = set(_looked_at(tree))
    for place, node in enumerate(ast.walk(tree)):
        for change in _changes(node) if node in looked_at else ():
            anew = ast.parse(source(module))  # ten times as quick as a copy
            target = next(islice(ast.walk(anew), place, None))
            changed = ast.fix_missing_locations(_Replace(target, change).visit(anew))
            yield Mutant(module, ast.unparse(node), ast.unparse(change), changed)


def _looked_at(tree: ast.Module) -> Iterator[ast.AST]:
    """Return the code of functions, and constants: mypy checks how records are declared."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name not in _ROWS:
            for function in ast.walk(node):
                if isinstance(function, ast.FunctionDef):
                    for statement in function.body:
                        yield from ast.walk(statement)
        if isinstance(node, ast.AnnAssign) and node.value and ast.unparse(node.target) not in _ROWS:
            yield from ast.walk(node.value)


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.AST, change: ast.AST) -> None:
        self._target, self._change = target, change

    def visit(self, node: ast.AST) -> Any:
        return deepcopy(self._change) if node is self._target else self.generic_visit(node)


class _Room(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the room under its other name, with one module of it changed."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        room, _, module = name.partition(".")
        return ModuleSpec(name, self, is_package=not module) if room == NAME else None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__.partition(".")[2]
        changed = name == self._mutant.module
        code = compile(self._mutant.tree, name, "exec") if changed else compiled(name or "__init__")
        exec(code, module.__dict__)


@cache
def compiled(module: str) -> CodeType:
    return compile(source(module), module, "exec")


@contextmanager
def mutated(mutant: Mutant) -> Iterator[ModuleType]:
    """The room with this change. Raises whatever an import of it raises."""
    room = _Room(mutant)
    sys.meta_path.insert(0, room)
    try:
        yield importlib.import_module(NAME)
    finally:
        sys.meta_path.remove(room)
        for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
            del sys.modules[name]


def _changes(node: ast.AST) -> Iterator[ast.AST]:  # noqa: C901, PLR0912 - a table of kinds
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            ops = list(node.ops)
            ops[number] = _COMPARED[type(operator)]()
            yield ast.Compare(left=node.left, ops=ops, comparators=node.comparators)
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield ast.BoolOp(op=other, values=node.values)
        yield from node.values
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        yield ast.BinOp(left=node.left, op=ast.Add(), right=node.right)
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Constant) and type(node.value) is str and node.value.isidentifier():
        yield ast.Constant(f"{node.value}_")
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLED:
        yield ast.Call(func=ast.Name(_CALLED[node.func.id], ast.Load()), args=node.args, keywords=node.keywords)
    elif isinstance(node, ast.If):
        yield ast.If(test=ast.Constant(value=True), body=node.body, orelse=node.orelse)
        yield ast.If(test=ast.Constant(value=False), body=node.body, orelse=node.orelse)
    elif isinstance(node, ast.comprehension):
        for number in range(len(node.ifs)):
            yield ast.comprehension(node.target, node.iter, node.ifs[:number] + node.ifs[number + 1 :], node.is_async)
    elif (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) or isinstance(node, ast.AugAssign):
        yield ast.Pass()
