"""Brings a session back in a new kernel: files, variables, settings, random generators, in this order.

The chain of manifests up to the head is read and checked whole before anything is touched. Then the workspace becomes
what it was; variables that could not be saved are computed again (`recompute.py`); the rest is loaded, large buffers
mapped; what neither way brings back becomes `Lost`.
"""

from __future__ import annotations

import contextlib
import linecache
import os
import signal
import time
from collections.abc import Iterable
from typing import Any

from nl2code_guest.checkpoint.history import History
from nl2code_guest.checkpoint.kernel_state import RestoreReport, Unrestorable
from nl2code_guest.checkpoint.loading import Loading
from nl2code_guest.checkpoint.lost import Lost, describe
from nl2code_guest.checkpoint.machine_trouble import is_full
from nl2code_guest.checkpoint.manifests import Manifest, Torn, chain, numbers, read_manifest
from nl2code_guest.checkpoint.random_state import restore_random
from nl2code_guest.checkpoint.reachability import assignment_in_cell
from nl2code_guest.checkpoint.recompute import Recompute, Recomputed, ReplayTools
from nl2code_guest.checkpoint.recompute_marker import MOST_ATTEMPTS, RecomputeMarker
from nl2code_guest.checkpoint.references import import_named
from nl2code_guest.checkpoint.save_work import WorkspaceChanges
from nl2code_guest.checkpoint.saved_state import FORMAT, SavedState, UnknownState, decode_state
from nl2code_guest.checkpoint.segments import Segments, SegmentWriter
from nl2code_guest.checkpoint.settings import Settings
from nl2code_guest.checkpoint.versions import difference
from nl2code_guest.checkpoint.workspace_files import WorkspaceFiles
from nl2code_guest.checkpoint.workspace_index import FileEntry, Index, to_index

_DIED = "The cells that made it were run again, and the kernel ended each time or a thread of theirs did not."
_NOT_RUN_AGAIN = "The cells that made it can't be run again"


_OUTSIDE_LOST = "What came into the workspace from outside before the last cell could not be read."


class Restore:
    """One restore; afterwards it holds what the saves go on from."""

    def __init__(
        self,
        folder: str,
        namespace: dict[str, Any],
        files: WorkspaceFiles,
        settings: Settings,
        replay_tools: ReplayTools | None,
    ) -> None:
        self._folder = folder
        self._manifests = os.path.join(folder, "manifests")
        self._segments = Segments(os.path.join(folder, "segments"))
        self._namespace = namespace
        self._files = files
        self._settings = settings
        self._replay_tools = replay_tools
        self._marker = RecomputeMarker(folder)
        self._loading = Loading(self._segments, namespace)
        self._notes: list[str] = []
        self._head = -1
        self.saved = SavedState()
        self.index: Index = {}
        #: What is in the workspace and not in the saved state.
        self.changes = WorkspaceChanges()

    def run(self, head: int, at_start: bytes | None, exact: bool) -> RestoreReport:
        """Does it. Raises Unrestorable, and OSError; another kernel has to do all of it again then."""
        try:
            return self._run(head, at_start, exact)
        except Torn as error:
            raise Unrestorable(head, str(error)) from error

    def _run(self, head: int, at_start: bytes | None, exact: bool) -> RestoreReport:
        began = time.perf_counter()
        self._head = head
        manifest = self._read(head, at_start)
        self._restore_workspace(exact)
        if self.saved.settings:
            # What is imported and loaded depends on them, and may change others: so they are set again at the end.
            self._settings.restore(self.saved.settings)
        again = self._recompute(manifest, self.saved.refused)
        failed = self._load()
        if failed:
            second = self._recompute(manifest, failed)
            again.values.update(second.values)
            again.unproved.update(second.unproved)
            again.failed.update({name: f"{failed[name]} {why}" for name, why in second.failed.items()})
            self._load()
        self._namespace.update(again.values)
        self._namespace.update({name: self._lost(name, manifest, why) for name, why in again.failed.items()})
        self._notes += self._settings.restore(self.saved.settings)
        if self.saved.random:
            restore_random(self.saved.random)
        self._show_sources()
        names = self.saved.names()
        lost = [describe(value) for name in names if type(value := self._namespace.get(name)) is Lost]
        return {
            "head": head,
            "variables": len(names) - len(lost),
            "recomputed": sorted(again.values),
            "unproved": sorted(again.unproved),
            "lost": [dict(zip(("name", "type", "cell", "message"), entry, strict=True)) for entry in sorted(lost)],
            "notes": self._notes,
            "ms": round((time.perf_counter() - began) * 1000, 1),
        }

    # --- what was saved --------------------------------------------------------------------------------------------

    def _read(self, head: int, at_start: bytes | None) -> Manifest | None:
        """The head's manifest, None before the first cell; what is saved of it and came since is then known."""
        manifest: Manifest | None = None
        parts: list[Manifest] = []
        if head >= 0:
            try:
                manifest = read_manifest(self._manifests, head)
                parts = chain(self._manifests, manifest)
            except Torn as error:
                raise Unrestorable(head, str(error)) from error
        known: dict[str, str] = {}
        for part in parts:
            try:
                delta = decode_state(part.state)
                self.saved.apply(delta, len(part.state))
            except UnknownState as error:
                raise Unrestorable(part.k, str(error)) from error
            if delta.get("versions", known) != known:
                known = delta["versions"]
                if (message := difference(known)) is not None:
                    raise Unrestorable(part.k, message)
        if at_start:
            self._read_outside(at_start)
        self._check_segments(parts)
        return manifest

    def _read_outside(self, at_start: bytes) -> None:
        try:
            changes = decode_state(at_start)["workspace"]
            outside = SavedState()
            outside.apply({"format": FORMAT, "workspace": {**changes, "full": True}})
            # Not a reason to give up the head: it needs none of these.
            self._segments.verify(_segments_of(outside.workspace))
            self.changes.add(outside.workspace, changes["removed"])
        except (UnknownState, Torn, KeyError, TypeError):
            self._notes.append(_OUTSIDE_LOST)

    def _check_segments(self, parts: list[Manifest]) -> None:
        """Raises Unrestorable with the first manifest that names a segment which is not whole."""
        named = {chunk.segment for component in self.saved.components for chunk in component.chunks()}
        for name in sorted(named | _segments_of(self.saved.workspace)):
            try:
                self._segments.verify([name])
            except Torn as error:
                first = next((part for part in parts if name.encode() in part.state), parts[-1])
                raise Unrestorable(first.k, str(error)) from error

    # --- files -----------------------------------------------------------------------------------------------------

    def _restore_workspace(self, exact: bool) -> None:
        try:
            if self._marker.workspace is not None:
                self.index = self._files.restore(to_index(self._marker.workspace), self._segments).index
            else:
                self.index = to_index(dict(self.saved.workspace))
        except Torn as error:
            self._notes.append(f"The workspace could not be put back: {error}")
            self.index = to_index(dict(self.saved.workspace))
        if exact:
            wanted = dict(self.saved.workspace)
            for path in self.changes.removed:
                wanted.pop(path, None)
            wanted.update(self.changes.entries)
            restored = self._files.restore(to_index(dict(wanted)), self._segments)
        else:
            restored = self._files.restore(self.index, self._segments, keep=True)
        self.index = restored.index
        self._notes += restored.notes

    # --- variables -------------------------------------------------------------------------------------------------

    def _recompute(self, head: Manifest | None, names: Iterable[str]) -> Recomputed:
        wanted = set(names)
        if not wanted or head is None:
            return Recomputed({}, set(), {})
        if self._marker.attempts >= MOST_ATTEMPTS:
            return Recomputed({}, set(), dict.fromkeys(wanted, _DIED))
        self._marker.attempts += 1
        try:
            self._marker.write(self._marker.workspace)
        except OSError as error:
            if not is_full(error):
                raise
            return Recomputed({}, set(), dict.fromkeys(wanted, f"{_NOT_RUN_AGAIN}: {error.strerror}."))
        moves = _WorkspaceMoves(self._files, self._segments, self.index, self._marker, head.k + 1)
        work = Recompute(
            History(self._manifests, head),
            self._loading,
            self._segments,
            self._namespace,
            self._settings,
            moves.to,
            self._replay_tools,
            self._give_up_running,
        )
        try:
            try:
                found = work.run(wanted)
            finally:
                self.index = moves.back()
        except OSError:
            # It was no death: the next kernel puts the workspace back, and has as many attempts as this one.
            self._marker.attempts -= 1
            with contextlib.suppress(OSError):
                self._marker.write(self._marker.workspace)
            raise
        self._settings.restore(self.saved.settings)
        self._marker.remove()
        return found

    def _give_up_running(self) -> None:
        self._marker.attempts = MOST_ATTEMPTS
        self._marker.write(self._marker.workspace)
        os.kill(os.getpid(), signal.SIGKILL)

    def _load(self) -> dict[str, str]:
        """Puts everything that was saved into the namespace; returns the names that failed, and why."""
        failed: dict[str, str] = {}
        for name, path in self.saved.modules.items():
            try:
                self._namespace[name] = import_named(path)
            except Exception as error:
                failed[name] = f"The module {path} can't be imported ({type(error).__name__}: {error})."
        try:
            unloaded = self._loading.load(list(self.saved.components.by_name), self.saved)
        except Torn as error:
            raise Unrestorable(self._head, str(error)) from error
        return {**failed, **{name: f"It can't be loaded: {why}." for name, why in unloaded.items()}}

    def _lost(self, name: str, head: Manifest | None, why: str) -> Lost:
        assert head is not None
        refused = self.saved.refused.get(name)
        kind = refused.type if refused else "a variable"
        reason = f"{refused.message} {why}" if refused else why
        history = History(self._manifests, head)
        at = 0
        while (step := history.step(at)) is not None:
            for cell in reversed(step.cells):
                if name in cell.assigned:
                    source = assignment_in_cell(cell.code, "", name)
                    how = f"`{source}` (cell {cell.k})" if source else f"run again what cell {cell.k} did"
                    return Lost(name, kind, head.k, reason, f"Make it again: {how}.")
            at += 1
        return Lost(name, kind, head.k, reason, "Make it again before you use it.")

    def _show_sources(self) -> None:
        """Gives tracebacks and `inspect.getsource` the cells that restored functions come from."""
        missing = sorted(k for k in self._loading.cells if f"<cell {k}>" not in linecache.cache)
        known = numbers(self._manifests) if missing else []
        for k in missing:
            try:
                header = read_manifest(self._manifests, next(n for n in known if n >= k)).header
            except (Torn, StopIteration):
                continue
            covered = header.get("covered")
            cells = [header, *(covered if isinstance(covered, list) else ())]
            code = next((cell.get("code") for cell in cells if isinstance(cell, dict) and cell.get("k") == k), None)
            if isinstance(code, str):
                name = f"<cell {k}>"
                linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)


class _WorkspaceMoves:
    """Makes the workspace what it was at some cell, for as long as cells are run again."""

    def __init__(
        self, files: WorkspaceFiles, segments: Segments, index: Index, marker: RecomputeMarker, k: int
    ) -> None:
        self._files = files
        self._segments = segments
        self._marker = marker
        self._index = index
        #: The cell after the head: its segments are not swept.
        self._k = k
        self._now: Index | None = None

    def to(self, wanted: Index) -> None:
        """Moves it. Raises OSError and Torn."""
        if self._now is None:
            if _contents(wanted) == _contents(self._index):
                return
            with SegmentWriter(self._segments.folder, self._k, False) as writer:
                captured = self._files.capture(self._index, writer)
                if writer.bytes_put:
                    writer.commit()
            self._now = captured.index
            self._marker.write(dict(captured.index))
        self._files.restore(to_index(dict(wanted)), self._segments)

    def back(self) -> Index:
        """Puts back what was there before; returns the index of it. Raises OSError and Torn."""
        if self._now is None:
            return self._index
        return self._files.restore(self._now, self._segments).index


def _segments_of(index: Index) -> set[str]:
    chunks = (chunk for entry in index.values() if isinstance(entry, FileEntry) for chunk in entry.chunks)
    return {chunk.segment for chunk in chunks if chunk.segment}


def _contents(index: Index) -> dict[str, Any]:
    return {path: entry._replace(stamp="") if isinstance(entry, FileEntry) else entry for path, entry in index.items()}
