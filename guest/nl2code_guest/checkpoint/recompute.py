"""Variables that could not be saved, computed again by running the cells that made them.

For a variable, the cells that touched it since it was last assigned are run once more, in their order, in the namespace
of the session before anything else is in it. Each finds what it found then: the variables as the save before it has
them, the workspace, the settings and the state of the random generators; a tool gives the answer it gave. What else the
cell changed must come out as it was saved, else the value is not trusted.

Not run again are cells that wrote files (where that ends is not known), that called a tool when no records are there,
that were interrupted, and those that would take longer than the budget.
"""

from __future__ import annotations

import contextlib
import linecache
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from nl2code_guest import cell_timer
from nl2code_guest.checkpoint.buffers import digest_of
from nl2code_guest.checkpoint.canonical import is_same
from nl2code_guest.checkpoint.component import Component
from nl2code_guest.checkpoint.equality import is_equal
from nl2code_guest.checkpoint.forks import reseed
from nl2code_guest.checkpoint.history import History, Step
from nl2code_guest.checkpoint.loading import Loading
from nl2code_guest.checkpoint.machine_trouble import is_full, is_passing
from nl2code_guest.checkpoint.manifests import Torn
from nl2code_guest.checkpoint.pickler import Refused, Unloadable, dump
from nl2code_guest.checkpoint.random_state import capture_random, restore_random
from nl2code_guest.checkpoint.reachability import EVERYTHING, names_in_cell, names_read_in_cell
from nl2code_guest.checkpoint.references import import_named
from nl2code_guest.checkpoint.saved_state import CellRecord, SavedState, UnknownState
from nl2code_guest.checkpoint.segments import Segments
from nl2code_guest.checkpoint.serialise import NOT_SAVED
from nl2code_guest.checkpoint.session_threads import all_end, session_threads
from nl2code_guest.checkpoint.settings import Settings
from nl2code_guest.checkpoint.workspace_index import Index
from nl2code_guest.figures import close, open_figures
from nl2code_guest.habits import translate
from nl2code_guest.time_limit import TooSlow, within

ReplayTools = Callable[[int], AbstractContextManager[object]]
"""Opens a cell that is run again, by its number: until it is closed, tools answer from that cell's records only."""

#: What re-running may take in all, by the time that the cells took.
BUDGET_MS = 30_000.0
#: A re-run that takes this much longer than the cell did is stopped.
_FACTOR, _EXTRA_S = 2.0, 10.0
#: So long its threads may go on.
_THREADS_S = 3.0


class Recomputed(NamedTuple):
    """What became of the variables asked for."""

    values: dict[str, object]
    #: Those of them with nothing else that could be compared.
    unproved: set[str]
    #: The others: why not, as a sentence.
    failed: dict[str, str]


class _Failed(Exception):
    """A cell can't be run again; the message is a sentence."""


class Recompute:
    """Runs cells again for the variables of one head."""

    def __init__(
        self,
        history: History,
        loading: Loading,
        segments: Segments,
        namespace: dict[str, Any],
        settings: Settings,
        move_workspace: Callable[[Index], None],
        replay_tools: ReplayTools | None,
        give_up: Callable[[], object],
    ) -> None:
        """What is given to it.

        Args:
            move_workspace: Makes the workspace what an index says; who gives it puts everything back afterwards.
            give_up: Ends the process, so that another one restores without running cells again.
        """
        self._history = history
        self._loading = loading
        self._segments = segments
        self._namespace = namespace
        self._settings = settings
        self._move_workspace = move_workspace
        self._replay_tools = replay_tools
        self._give_up = give_up
        #: Values of refused variables as of the step that ran last, and why others have none.
        self._carried: dict[str, object] = {}
        self._broken: dict[str, str] = {}
        self._proved: set[str] = set()

    def run(self, names: Iterable[str]) -> Recomputed:
        """Computes these variables of the head. The namespace must be empty, and is empty again afterwards."""
        wanted = sorted(names)
        failed: dict[str, str] = {}
        steps: set[int] = set()
        spent = 0.0
        for name in wanted:
            try:
                more = self._plan(name) - steps
            except _Failed as error:
                failed[name] = str(error)
                continue
            cost = sum(cell.ms for at in more for cell in self._cells(at))
            if spent + cost > BUDGET_MS:
                failed[name] = f"The cells that made it took {cost / 1000:.1f} s, which is too long to run them again."
                continue
            steps |= more
            spent += cost
        figures = set(open_figures())
        for at in sorted(steps, reverse=True):
            self._step(at, wanted)
        self._clear()
        for figure in open_figures():
            # The next cell would show it as its own.
            if figure not in figures:
                close(figure)
        for name in wanted:
            if name not in failed and name not in self._carried:
                failed[name] = self._broken.get(name, "The cells that made it did not make it again.")
        values = {name: self._carried[name] for name in wanted if name not in failed}
        return Recomputed(values, set(values) - self._proved, failed)

    # --- which cells -----------------------------------------------------------------------------------------------

    def _plan(self, name: str) -> set[int]:
        """The steps that make a variable of the head, with those that make what these need and was not saved."""
        steps: set[int] = set()
        waiting, seen = [(name, 0)], set()
        while waiting:
            wanted = waiting.pop()
            if wanted in seen:
                continue
            seen.add(wanted)
            for at in self._steps_for(*wanted):
                if at in steps:
                    continue
                steps.add(at)
                waiting.extend((needed, at + 1) for needed in self._unsaved_inputs(at))
        return steps

    def _steps_for(self, name: str, at: int) -> list[int]:
        """The steps that touched a variable up to step `at`, from its last assignment on."""
        found: list[int] = []
        while (step := self._history.step(at)) is not None:
            if any(
                name in cell.accessed or name in cell.assigned or EVERYTHING in cell.accessed for cell in step.cells
            ):
                found.append(at)
            if any(name in cell.assigned for cell in step.cells):
                return found
            at += 1
        raise _Failed("The cell that made it is not known any more.")

    def _unsaved_inputs(self, at: int) -> set[str]:
        """Names that the cells of a step may read and that were not saved before it."""
        refused = self._refused_after(at + 1)
        if not refused:
            return set()
        needed: set[str] = set()
        for cell in self._cells(at):
            own = names_in_cell(cell.code, "")
            read = names_read_in_cell(cell.code, "")
            for name in refused:
                touched = name in cell.accessed or EVERYTHING in cell.accessed
                # A name that is only bound here is not needed.
                if touched and (name in read or (name not in own and name not in cell.assigned)):
                    needed.add(name)
        return needed

    def _refused_after(self, at: int) -> set[str]:
        while (step := self._history.step(at)) is not None:
            if "refused" in step.delta:
                return set(step.delta["refused"])
            at += 1
        return set()

    def _cells(self, at: int) -> list[CellRecord]:
        step = self._history.step(at)
        return [] if step is None else step.cells

    # --- running them ----------------------------------------------------------------------------------------------

    def _step(self, at: int, wanted: list[str]) -> None:
        step = self._history.step(at)
        assert step is not None
        touched = {name for cell in step.cells for name in (*cell.accessed, *cell.assigned)}
        try:
            compared = self._run_step(at, step, touched)
        except (_Failed, Unloadable, Torn, UnknownState, OSError) as error:
            # A full disk is the session's own affair, for which it needs a kernel.
            if isinstance(error, OSError) and is_passing(error) and not is_full(error):
                raise
            # The cells may have changed what they were given.
            self._loading.forget(touched)
            reason = str(error) if isinstance(error, _Failed) else f"What cell {step.k} used can't be had: {error}."
            for name in self._refused_after(at) | set(wanted):
                if name in touched or EVERYTHING in touched:
                    self._broken[name] = reason
                    self._carried.pop(name, None)
            return
        for name in self._refused_after(at) | set(wanted):
            if name in self._namespace and (name in touched or EVERYTHING in touched):
                self._carried[name] = self._namespace[name]
                self._broken.pop(name, None)
                if compared:
                    self._proved.add(name)

    def _run_step(self, at: int, step: Step, touched: set[str]) -> bool:
        """Runs the cells of a step and compares; returns whether there was anything that they had changed."""
        for cell in step.cells:
            self._check(cell, step)
        before = self._history.state_after(at + 1)
        settings, random = before.settings, before.random
        self._clear()
        self._load_inputs(before, touched, self._unsaved_inputs(at))
        after = self._history.state_after(at)
        # A cell that wrote no file saw the files that were saved after it.
        self._move_workspace(after.workspace)
        self._settings.restore(settings)
        if random:
            restore_random(random)
        if "numpy" in after.random:
            import_named("numpy.random")
        checkpoint = os.path.dirname(self._segments.folder)
        reseed(checkpoint, step.cells[0].k)
        at_first = capture_random()
        for cell in step.cells:
            reseed(checkpoint, cell.k)
            raised = self._run_cell(cell)
            if cell is step.cells[-1] and raised is not (step.ended == "error"):
                raise _Failed(f"Cell {cell.k} {'raised an error' if raised else 'ended well'} when it was run again.")
        self._compare(after, touched)
        _compare_random(at_first, random, after.random)
        return any(set(part["names"]) & touched for part in step.delta.get("components", ()))

    def _check(self, cell: CellRecord, step: Step) -> None:
        if cell.wrote:
            raise _Failed(f"Cell {cell.k} wrote files, so it is not run again.")
        if cell.tool_calls and self._replay_tools is None:
            raise _Failed(f"Cell {cell.k} called tools whose answers are not at hand.")
        if step.ended not in ("ok", "error"):
            raise _Failed(f"Cell {step.k} was interrupted, so it is not run again.")

    def _load_inputs(self, before: SavedState, touched: set[str], needed: set[str]) -> None:
        """Puts into the namespace what the cells may use."""
        names = before.names()
        if EVERYTHING not in touched:
            names &= touched
        for name in names & before.modules.keys():
            self._namespace[name] = _imported(before.modules[name])
        failed = self._loading.load(sorted(names), before)
        for name in names:
            if name in before.refused or name in failed:
                if name in self._carried:
                    self._namespace[name] = self._carried[name]
                elif name in needed or name in failed:
                    why = failed.get(name) or self._broken.get(name, "it could not be computed again")
                    raise _Failed(f"It needs {name!r}: {why}")

    def _run_cell(self, cell: CellRecord) -> bool:
        """Runs a cell; returns whether it raised."""
        name = f"<cell {cell.k}>"
        linecache.cache[name] = (len(cell.code), None, cell.code.splitlines(keepends=True), name)
        replay = self._replay_tools(cell.k) if self._replay_tools and cell.tool_calls else contextlib.nullcontext()
        threads = session_threads(self._namespace)
        try:
            tree, _source = translate(cell.code, name)
            code = compile(tree, name, "exec", dont_inherit=True)
            with replay:
                within(_FACTOR * cell.ms / 1000 + _EXTRA_S, exec, code, self._namespace)
        except TooSlow:
            raise _Failed(f"Cell {cell.k} took much longer when it was run again.") from None
        except SystemExit as error:
            return error.code not in (None, 0)
        except BaseException:
            return True
        finally:
            # Else the next cell would print the time of this one.
            cell_timer.stop()
            # What a thread still does is part of the cell; one that does not end would go on in the restored session.
            if not all_end(session_threads(self._namespace) - threads, _THREADS_S):
                self._give_up()
        return False

    def _compare(self, after: SavedState, touched: set[str]) -> None:
        """Checks that everything else came out as it was saved, and takes it for what was saved."""
        everything = EVERYTHING in touched
        for component in after.components:
            if everything or not touched.isdisjoint(component.names):
                self._compare_component(component, after)

    def _compare_component(self, component: Component, after: SavedState) -> None:
        names = ", ".join(component.names)
        try:
            values = {name: self._namespace[name] for name in component.names}
            pickled = dump(values, self._namespace)
        except (KeyError, Refused):
            raise _Failed(f"{names} did not come out as before when the cells were run again.") from None
        saved = [(buffer["readonly"], [chunk.hash for chunk in buffer["chunks"]]) for buffer in component.buffers]
        now = [(buffer.raw().readonly, digest_of(buffer)) for buffer in pickled.buffers]
        if not (saved == now and is_same(bytes(pickled.stream), component.read_stream(self._segments))):
            try:
                same = is_equal(values, self._loading.read_again(component), self._namespace)
            except (Unloadable, Refused):
                same = False
            if not same:
                raise _Failed(f"{names} had other values when the cells were run again.")
        self._loading.adopt(component, after, values)

    def _clear(self) -> None:
        for name in [name for name in self._namespace if name not in NOT_SAVED]:
            del self._namespace[name]


def _compare_random(at_first: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    """Checks the random generators. Of one that was not there before, nothing is known but whether it was used."""
    for name, state in after.items():
        now = capture_random().get(name)
        unused = name not in before and now == at_first.get(name)
        if now != state and not unused:
            raise _Failed("Random numbers were drawn otherwise when the cells were run again.")


def _imported(path: str) -> object:
    try:
        return import_named(path)
    except Exception as error:
        raise _Failed(f"The module {path} can't be imported ({type(error).__name__}).") from error
