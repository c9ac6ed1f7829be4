"""What notebook magics and shell lines do in a cell. Called by translated cells only."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from types import TracebackType

from nl2code_guest import cell_timer
from nl2code_guest.installed import all_packages, installed_packages
from nl2code_guest.program_bridge import run_program


class UnsupportedMagic(Exception):
    """A magic that has another way here; the message names it."""


class ExitCode(Exception):
    """A program that `%%python` ran ended with another exit code than 0."""


#: Magics that change nothing the rest of a cell depends on.
_HARMLESS = ("matplotlib", "load_ext", "reload_ext", "autoreload", "config", "precision", "pylab", "colors", "xmode")
#: Words of an install command that name no package.
_TOOLS = (
    "pip",
    "pip3",
    "conda",
    "mamba",
    "uv",
    "apt",
    "apt-get",
    "python",
    "python3",
    "install",
    "add",
    "list",
    "freeze",
)

_INSTEAD = {
    "cd": "use os.chdir(path)",
    "pwd": "use os.getcwd()",
    "ls": "use os.listdir() or !ls",
    "env": "use os.environ",
    "run": "use runpy.run_path(path, run_name='__main__')",
    "load": "use open(path).read()",
    "timeit": "use timeit.timeit(lambda: …, number=…)",
    "who": "use print(sorted(globals()))",
    "whos": "use print(sorted(globals()))",
    "reset": "use del for the names you want gone",
    "sql": "read the data with pandas",
    "prun": "use cProfile.run(…)",
    "history": "the session keeps its cells itself",
    "html": "use a display of an object with _repr_html_",
    "javascript": "nothing here runs JavaScript",
    "js": "nothing here runs JavaScript",
    "cat": "use print(open(path).read())",
}


def start_time() -> None:
    """`%%time`: the wall time is printed when the cell ends."""
    cell_timer.start()


def note_timeit() -> None:
    """`%%timeit`: runs the cell once and says so."""
    print("%%timeit ran the cell once; for repetitions use timeit.timeit(lambda: …, number=…).", file=sys.stderr)


class timing:
    """`%time statement`."""

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cell_timer.print_time(self._began)


def line_magic(name: str, argument: str) -> None:
    """A `%name argument` line. Raises UnsupportedMagic when the cell can't go on without it."""
    if name in _HARMLESS:
        return
    if name in ("pip", "conda", "mamba", "uv"):
        _say_installed(argument)
        return
    if name == "pinfo":
        raise UnsupportedMagic(f"Use help({argument}).")
    raise UnsupportedMagic(f"%{name} does not exist here: {_INSTEAD.get(name, 'write it in plain Python')}.")


def cell_magic(name: str, argument: str, body: str) -> None:
    """A whole cell under `%%name argument`."""
    if name in ("writefile", "file"):
        _write_file(argument, body)
    elif name in ("bash", "sh", "script"):
        shell(body)
    elif name in ("python", "python3"):
        fresh_python(body)
    else:
        raise UnsupportedMagic(f"%%{name} does not exist here: {_INSTEAD.get(name, 'write the cell in plain Python')}.")


def shell(command: str) -> None:
    """Runs a command; its output is the cell's."""
    if _is_install(command):
        _say_installed(command)
        return
    _flush()
    ended = subprocess.run(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, check=False)
    if ended.returncode:
        print(f"[exit code {ended.returncode}]", file=sys.stderr)


def fresh_python(program: str) -> None:
    """`%%python`: runs a program in a fresh interpreter, in the current folder; its output is the cell's.

    An interrupt of the cell, as at its time limit, ends the program.

    Raises:
        ExitCode: the program failed; what it said of that is in its output.
    """
    folder = os.path.join(tempfile.gettempdir(), "fresh-python")
    os.makedirs(folder, exist_ok=True)
    # One name for all: the same program says the same, tracebacks included.
    path = os.path.join(folder, "program.py")
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(program)
    _flush()
    # Modules of the current folder are found, as they are for a script that stands in it.
    places = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), os.getcwd())))
    exit_code = run_program([sys.executable, "-u", path], {**os.environ, "PYTHONPATH": places})
    if exit_code:
        raise ExitCode(f"the program ended with exit code {exit_code}")


def shell_lines(command: str) -> list[str]:
    """Runs a command and returns the lines of its output."""
    _flush()
    ended = subprocess.run(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    return ended.stdout.splitlines()


def _is_install(command: str) -> bool:
    return re.search(r"(^|[\s;&|/])(pip3?|conda|mamba|uv|apt|apt-get)\s+(\S+\s+)*?(install|add)\b", command) is not None


def _say_installed(command: str) -> None:
    packages = all_packages()
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    names = [re.split(r"[<>=!~\[; ]", word)[0].lower().replace("_", "-") for word in words if word[:1].isalpha()]
    asked = [name for name in names if name not in _TOOLS]
    missing = [name for name in asked if name not in packages]
    listed = ", ".join(f"{name} {version}" for name, version in installed_packages().items())
    if asked and not missing:
        print(f"Already installed: {', '.join(f'{name} {packages[name]}' for name in asked)}.")
    else:
        lacking = f" {', '.join(missing)} is not among them." if missing else ""
        print(
            f"Nothing can be installed, there is no network here. Installed: {listed or 'no extra packages'}.{lacking}"
        )


def _write_file(argument: str, body: str) -> None:
    append = argument.startswith("-a ")
    name = argument[3:].strip() if append else argument
    if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"":
        name = name[1:-1]
    if not name:
        raise UnsupportedMagic("%%writefile needs the name of a file.")
    folder = os.path.dirname(name)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(name, "a" if append else "w", encoding="utf-8") as file:
        file.write(body)
    print(f"{'Appended to' if append else 'Wrote'} {name}")


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
