"""Writes guest/library-words.txt: words of the messages and of the public names of Python and of the packages in a sandbox.

Under exposure `masked` a word of a cell's output stays readable when it is one of these; see docs/exposure.md. Run it with the sandbox's
Python after the pinned packages changed: `.runtime/python/bin/python3 scripts/library-words.py`.
"""

import ast
import re
import sys
import sysconfig
from pathlib import Path

WORD = re.compile(r"[a-z]{3,24}")
SKIPPED = {"tests", "test", "idlelib", "lib2to3", "site-packages", "pip", "setuptools", "turtledemo", "ensurepip"}
#: What people and companies are called in examples.
NAMES = frozenset("alice bob john jane doe smith jones peter paul mary anna max tim tom sam joe jim".split())


def words(text: str) -> set[str]:
    return set(WORD.findall(text.lower()))


def of_source(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        # A sentence that is no documentation is most likely a message.
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs and node.value.count(" ") > 2:
            found |= words(node.value[:2000])
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            found |= words(node.name) | words(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", node.name))
        said: list[ast.AST] = []
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            said = [*node.exc.args]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("warn", "print", "error", "warning", "format"):
            said = [*node.args, node.func]
        for part in said:
            for inner in ast.walk(part):
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    found |= words(inner.value)
    return found


def main() -> None:
    paths = sysconfig.get_paths()
    counts: dict[str, int] = {}
    for root in (Path(paths["stdlib"]), Path(paths["purelib"])):
        for file in sorted(root.rglob("*.py")):
            parts = file.relative_to(root).parts
            if SKIPPED & set(parts) or "nl2code" in parts[0]:
                continue
            try:
                found = of_source(ast.parse(file.read_bytes()))
            except (SyntaxError, ValueError):
                continue
            for word in found | words(" ".join(parts)):
                counts[word] = counts.get(word, 0) + 1
    ours = words(" ".join(file.read_text() for folder in ("guest/nl2code_guest", "guest/nl2code_checks", "src/verification") for file in sorted(Path(folder).rglob("*.[pt]*"))  if file.suffix in (".py", ".ts")))
    kept = sorted((set(counts) | ours) - NAMES)
    lines: list[str] = []
    for word in kept:
        if not lines or len(lines[-1]) + len(word) > 150:
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    Path("guest/library-words.txt").write_text("\n".join(lines) + "\n")
    print(f"{len(kept)} words", file=sys.stderr)


main()
