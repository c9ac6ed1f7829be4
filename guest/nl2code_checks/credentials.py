"""Looks for credentials in a script: few rules, each with hardly a false alarm. The secret itself is never repeated."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

MAX_FOUND = 10

FORMATS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("an AWS access key id", re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])")),
    ("an API key (sk-…)", re.compile(r"(?<![A-Za-z0-9_-])sk-(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{20,}")),
    ("a GitHub token", re.compile(r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})")),
    ("a GitLab token", re.compile(r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{20,}")),
    ("a Slack token", re.compile(r"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("a Slack webhook", re.compile(r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9_/]{20,}")),
    ("a Google API key", re.compile(r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}")),
    ("a Stripe key", re.compile(r"(?<![A-Za-z0-9])[sr]k_(?:live|test)_[A-Za-z0-9]{16,}")),
    ("a SendGrid key", re.compile(r"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}")),
    ("a Databricks token", re.compile(r"(?<![A-Za-z0-9])dapi[a-f0-9]{32}")),
    ("a Hugging Face token", re.compile(r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,}")),
    ("a package registry token", re.compile(r"(?<![A-Za-z0-9])(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{40,})")),
    ("an Azure storage key", re.compile(r"AccountKey=[A-Za-z0-9+/]{60,}={0,2}")),
    (
        "a JSON web token",
        re.compile(r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    ),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")),
    ("a bearer token", re.compile(r"\bBearer (?=[A-Za-z0-9._~+/-]*[0-9])[A-Za-z0-9._~+/-]{20,}")),
)
URL_LOGIN: Final = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"{}<>]*:([^\s/@'\"]+)@")
DSN_PART: Final = re.compile(r"(?:^|[;\s?&])(?:password|passwd|pwd)=([^;\s&'\"]+)", re.IGNORECASE)
DSN_OTHER: Final = re.compile(r"(?:^|[;\s?&])(?:server|host|user|uid|user id|dbname|database|driver)=", re.IGNORECASE)

STRONG: Final = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|pwd|secret|client_secret|secret_key|api_?key|access_key|private_key"
    r"|auth_token|access_token|refresh_token|api_token|bot_token)(?:_?\d+)?$"
)
WEAK: Final = re.compile(r"(?:^|_)(?:token|credentials?|auth|bearer|passw|pass)(?:_?\d+)?$")
PLACEHOLDER: Final = re.compile(
    r"""(?ix) ^(?: x{3,} | \*+ | \.{3} | -+ | n/?a | none | null | nil | true | false | todo | tbd | fixme
        | (?:my|your|the|some|an?)[-_ ].* | .*(?:change[-_]?me|placeholder|redacted|example|dummy|replace).*
        | pass(?:word|wd)? | pwd | secret | token | api[-_]?key | key | username | user | test
        | string | str | value | text )$ """
)
SYNTAX: Final = re.compile(r"^[<\[{(%$].*|.*(?:\$\{|\{\{|\{[A-Za-z_]|%\(|%s|<[A-Za-z]|os\.environ|getenv).*")


def credentials(source: str, tree: ast.Module) -> list[tuple[int, str]]:
    """Finds what looks like a credential.

    Args:
        source: The script.
        tree: Its syntax tree.

    Returns:
        Line and what stands there, in order of lines, at most ``MAX_FOUND``; a line is named once.
    """
    found: dict[int, str] = {}
    for number, line in enumerate(source.split("\n"), start=1):
        for what, pattern in FORMATS:
            if pattern.search(line):
                found.setdefault(number, what)
    for number, what in (*_literals(tree), *_named(tree)):
        found.setdefault(number, what)
    return sorted(found.items())[:MAX_FOUND]


def _literals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Finds logins inside string constants: addresses and connection strings."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or (text := _text(node)) is None:
            continue
        for login in URL_LOGIN.finditer(text):
            if not _placeholder(login[1]):
                yield node.lineno + text.count("\n", 0, login.start()), "an address with a password"
        if DSN_OTHER.search(text):
            for part in DSN_PART.finditer(text):
                if not _placeholder(part[1]) and not part[1].isupper():
                    yield node.lineno + text.count("\n", 0, part.start()), "a connection string with a password"


def _named(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Finds literals that are given to something named like a secret."""
    for node in ast.walk(tree):
        for name, value in _bindings(node):
            text = _text(value)
            if text is not None and _is_secret(name, text):
                yield value.lineno, f"a literal given to `{name[:40]}`"


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Tuple | ast.List) and isinstance(node.value, ast.Tuple | ast.List):
                yield from ((_name(t), v) for t, v in zip(target.elts, node.value.elts, strict=False))
            else:
                yield _name(target), node.value
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        yield _name(node.target), node.value
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            yield (_text(key) or "") if key is not None else "", value
    elif isinstance(node, ast.arguments):
        plain = [*node.posonlyargs, *node.args]
        yield from ((arg.arg, v) for arg, v in zip(reversed(plain), reversed(node.defaults), strict=False))
        yield from ((arg.arg, v) for arg, v in zip(node.kwonlyargs, node.kw_defaults, strict=True) if v is not None)
    elif isinstance(node, ast.Call):
        yield from ((k.arg, k.value) for k in node.keywords if k.arg)
        options = [text.lstrip("-") for arg in node.args if (text := _text(arg)) is not None and text.startswith("--")]
        defaults = [k.value for k in node.keywords if k.arg == "default"]
        yield from ((option, value) for option in options for value in defaults)
        # os.environ.get("API_KEY", "…"), os.getenv, config.get: the default is the secret.
        if (
            len(node.args) == 2
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"get", "getenv", "setdefault"}
        ):
            yield _text(node.args[0]) or "", node.args[1]


def _name(target: ast.expr) -> str:
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, ast.Attribute):
        return target.attr
    if isinstance(target, ast.Subscript):
        return _text(target.slice) or ""
    return ""


def _text(node: ast.expr) -> str | None:
    if not isinstance(node, ast.Constant):
        return None
    if isinstance(node.value, bytes):
        return node.value.decode("latin-1")
    return node.value if isinstance(node.value, str) else None


def _is_secret(name: str, text: str) -> bool:
    key = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").replace(" ", "_").lower()
    if len(text) < 4 or re.search(r"\s", text) or _placeholder(text) or text.lower().replace("-", "_") == key:
        return False
    if re.fullmatch(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+", text) or text.startswith(("/", "./", "~", "--")):
        return False
    if STRONG.search(key):
        return True
    return (
        bool(WEAK.search(key)) and len(text) >= 16 and any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
    )


def _placeholder(text: str) -> bool:
    return bool(PLACEHOLDER.match(text) or SYNTAX.match(text))
