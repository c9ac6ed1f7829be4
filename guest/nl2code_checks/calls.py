"""Finds calls of functions that do not exist, and calls whose arguments do not fit, before a script runs.

The script is read, never imported. A name that an import binds is looked up in the real library; a value's type comes
from mypy, and its methods and their arguments again from the real class. What is not certain is not told.
"""

from __future__ import annotations

import ast
import inspect
import time
from collections.abc import Iterator
from typing import Any, Final, TypedDict

from nl2code_checks import callables
from nl2code_checks.arguments import misfit
from nl2code_checks.callables import MISSING, Unknown
from nl2code_checks.findings import MESSAGE_CHARS, Finding
from nl2code_checks.imports import Imports, read_imports
from nl2code_checks.library_types import Types, Unavailable, infer
from nl2code_checks.receivers import Receiver, certain, receivers

MAX_FOUND: Final = 10
REMEDY_CHARS: Final = 380


class CallReport(TypedDict):
    """What the calls of a script show. ``looked`` counts those that were resolved; ``why`` says why methods were not
    looked at, if so.
    """

    findings: list[Finding]
    calls: int
    looked: int
    why: str | None
    seconds: float


def examine_calls(source: str) -> CallReport:
    """Examines the calls and imports of a script that parses; runs in a sandbox, since it imports libraries.

    Args:
        source: The script's text.

    Returns:
        At most ``MAX_FOUND`` findings ``unknown-import``, ``unknown-call`` and ``wrong-arguments`` in order of lines,
        each with its remedy.
    """
    started = time.monotonic()
    source = source.removeprefix("\ufeff")
    tree = ast.parse(source)
    imports = read_imports(tree)
    why: str | None = None
    try:
        types = infer(source)
    except Unavailable as unavailable:
        types, why = Types(), str(unavailable)
    except (Exception, SystemExit) as error:
        types, why = Types(), f"mypy ended with {type(error).__name__}"
    examiner = _Examiner(imports, types, _bound_by_parameters(tree))
    found: dict[tuple[int, str], Finding] = {}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for finding in (*imports.findings, *(f for call in calls for f in examiner.call(call))):
        found.setdefault((finding["line"], finding["message"]), finding)
    ordered = [found[key] for key in sorted(found)]
    return CallReport(
        findings=ordered[:MAX_FOUND],
        calls=len(calls),
        looked=examiner.looked,
        why=why,
        seconds=round(time.monotonic() - started, 3),
    )


class _Examiner:
    def __init__(self, imports: Imports, types: Types, parameters: set[str]) -> None:
        self.imports = imports
        self.types = types
        self.parameters = parameters
        self.looked = 0

    def call(self, call: ast.Call) -> Iterator[Finding]:
        """Looks at one call; the calls inside it are calls of their own."""
        try:
            found = self._direct(call) if self.imports.leads(call.func) else self._method(call)
        except Unknown:
            return
        self.looked += 1
        if found is not None:
            yield found

    def _direct(self, call: ast.Call) -> Finding | None:
        """A chain of attributes that starts at an import, e.g. ``np.random.default_rng``."""
        chain = self.imports.chain(call.func)
        held: Any = None
        for depth, (name, target) in enumerate(chain):
            if target is not MISSING:
                held = target
                continue
            # A module's own `__getattr__` was asked already.
            if not inspect.ismodule(held) and (_dynamic(type(held)) or (inspect.isclass(held) and _dynamic(held))):
                raise Unknown(name)
            return _unknown(call, ".".join(part for part, _ in chain[:depth]), name, held)
        text = ".".join(part for part, _ in chain)
        if not callable(held):
            if inspect.ismodule(held):
                return _not_callable(call, text, "a module")
            raise Unknown(text)
        problem = misfit(call, callables.signature(held), held)
        return _wrong(call, text, problem, callables.signature(held)) if problem else None

    def _method(self, call: ast.Call) -> Finding | None:
        """A method of a value, by the value's type."""
        if not isinstance(call.func, ast.Attribute) or call.func.end_lineno is None:
            raise Unknown
        at = (call.func.lineno, call.func.col_offset, call.func.end_lineno, call.func.end_col_offset or 0)
        if _root(call.func) in self.types.doubtful:
            raise Unknown
        name = call.func.attr
        known = receivers(self.types.base.get(at))
        if any(receiver.builtin for receiver in known) and _root(call.func) in self.parameters:
            raise Unknown
        problems = [self._problem(call, receiver, name, at) for receiver in known]
        # Whatever of these it is: the call fails.
        return problems[0] if problems and all(problems) else None

    def _problem(self, call: ast.Call, receiver: Receiver, name: str, at: tuple[int, int, int, int]) -> Finding | None:
        owner = receiver.owner
        if inspect.getattr_static(owner, name, MISSING) is MISSING and not hasattr(owner, name):
            certain(receiver, name)
            return _unknown(call, receiver.shown, name, owner)
        held = callables.member(owner, name)
        if not (inspect.isroutine(held) or hasattr(held, "__wrapped__")):
            # A property, an axis, an accessor: what it gives is known by its type only.
            results = receivers(self.types.of.get(at), every=True)
            if isinstance(held, type) or not results or not all(_uncallable(result) for result in results):
                raise Unknown(name)
            return _not_callable(call, f"{receiver.shown}.{name}", "an attribute")
        problem = None
        for kind in reversed(list(callables.family(owner))):
            taken = callables.method_signature(kind, name)
            problem = misfit(call, taken, inspect.getattr_static(kind, name))
            if problem is None:
                return None
        return _wrong(call, f"{receiver.shown}.{name}", problem, taken) if problem else None


def _unknown(call: ast.Call, path: str, name: str, holder: Any) -> Finding:
    close = callables.near(name, holder)
    remedy = f"Did you mean {' or '.join(close)}?" if close else f"Use something that {path} has; dir({path}) lists it."
    for known in close[:1]:
        try:
            if inspect.isclass(holder):
                taken = callables.method_signature(holder, known)
            else:
                taken = callables.signature(callables.member(holder, known))
            remedy += f" {known}{taken}"
        except (Unknown, AttributeError):
            continue
    message = f"Line {call.lineno} calls {path}.{name}, which does not exist."
    return _finding("unknown-call", call, message, remedy)


def _not_callable(call: ast.Call, path: str, what: str) -> Finding:
    message = f"Line {call.lineno} calls {path}, which is {what}, not a function."
    return _finding("unknown-call", call, message, "Leave out the parentheses, or call the function that you mean.")


def _wrong(call: ast.Call, path: str, problem: tuple[str, list[str]], taken: inspect.Signature) -> Finding:
    said, close = problem
    hint = f"Did you mean {' or '.join(close)}? " if close else ""
    message = f"Line {call.lineno} calls {path} with arguments that do not fit: {said}."
    return _finding("wrong-arguments", call, message, f"{hint}It is {path.rpartition('.')[2]}{taken}")


def _finding(code: str, call: ast.Call, message: str, remedy: str) -> Finding:
    return Finding(code=code, message=message[:MESSAGE_CHARS], line=call.lineno, remedy=_cut(remedy))


def _cut(text: str) -> str:
    return text if len(text) <= REMEDY_CHARS else f"{text[: REMEDY_CHARS - 1]}…"


def _uncallable(result: Receiver) -> bool:
    kinds = [result.owner] if result.builtin else callables.family(result.owner)
    return not any("__call__" in vars(base) for kind in kinds for base in kind.__mro__)


def _dynamic(kind: type) -> bool:
    return any("__getattr__" in vars(base) for base in kind.__mro__)


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _bound_by_parameters(tree: ast.Module) -> set[str]:
    """Names that are a parameter somewhere: what is given may be something else than what is written there."""
    return {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
