"""What the standard library makes."""

from __future__ import annotations

from object_kind import Kind, group, kept

LIBRARY: list[Kind] = group(
    "Standard library",
    kept(
        "dates and time zones",
        """
        import datetime as dt, zoneinfo
        z = zoneinfo.ZoneInfo('Europe/Berlin')
        x = dt.datetime(2024, 7, 1, tzinfo=z)
        y = [dt.date(2024, 1, 1), dt.timedelta(1), dt.timezone.utc]
        """,
        "x.utcoffset() == dt.timedelta(hours=2) and x.tzinfo is z",
        "y[0].year == 2024 and y[2] is dt.timezone.utc",
    ),
    kept(
        "Decimal, Fraction, UUID, Path",
        """
        import decimal, fractions, pathlib, uuid
        x = [decimal.Decimal('1.10'), fractions.Fraction(1, 3), uuid.UUID(int=1), pathlib.Path('/a/b')]
        """,
        "str(x[0]) == '1.10' and x[1] * 3 == 1 and x[2].int == 1 and x[3].name == 'b'",
    ),
    kept(
        "compiled pattern, match",
        """
        import re
        p = re.compile('(?P<w>[a-z]+)(?!x)', re.I)
        x = p.search('12 abc', 2)
        y = list(p.finditer('a b'))
        """,
        "p.sub('_', '1a') == '1_'",
        "x['w'] == 'abc' and x.span() == (3, 6) and [m.start() for m in y] == [0, 2] and x.re is p",
    ),
    kept(
        "StringIO and BytesIO with their position",
        """
        import io
        x = io.StringIO('hello')
        x.read(2)
        y = io.BytesIO(b'hello')
        y.seek(3)
        """,
        "x.read() == 'llo' and y.read() == b'lo'",
    ),
    kept(
        "closed file",
        """
        with open('/dev/null', encoding='utf-8') as x: pass
        with open('/dev/null', 'rb') as y: pass
        """,
        "x.closed and x.name == '/dev/null' and x.mode == 'r' and y.closed and y.name == '/dev/null'",
    ),
    kept(
        "module",
        """
        import json as x, os.path
        y = [os.path]
        """,
        "x.dumps([1]) == '[1]' and y[0].join('a', 'b') == 'a/b'",
    ),
    kept(
        "iterators",
        """
        x = iter([1, 2, 3])
        next(x)
        y = enumerate('ab')
        next(y)
        z = zip([1, 2], [3, 4])
        next(z)
        m = map(str, [1, 2])
        next(m)
        """,
        "list(x) == [2, 3] and list(y) == [(1, 'b')] and list(z) == [(2, 4)] and list(m) == ['2']",
    ),
    kept(
        "itertools",
        """
        import itertools
        x = itertools.count(3)
        next(x)
        y = itertools.chain([1], [2, 3])
        next(y)
        """,
        "next(x) == 4 and list(y) == [2, 3]",
        note="refused from Python 3.14 on",
    ),
    kept(
        "code, syntax tree, signature",
        """
        import ast, inspect
        x = compile('1 + 1', 'c', 'eval')
        y = ast.parse('a + 1')
        z = inspect.signature(lambda a, b=2: 0)
        """,
        "eval(x) == 2 and ast.unparse(y) == 'a + 1' and z.parameters['b'].default == 2",
    ),
    kept(
        "exception",
        """
        try:
            try: 1 / 0
            except ZeroDivisionError as e: raise ValueError('bad', 3) from e
        except ValueError as e:
            e.add_note('n')
            x = e
        """,
        "x.args == ('bad', 3) and type(x.__cause__) is ZeroDivisionError and x.__notes__ == ['n']",
        note="without its traceback",
    ),
    kept(
        "exception with a constructor of its own",
        r"""
        class E(Exception):
            def __init__(self, code, *, where): super().__init__(f'{code} at {where}'); self.code = code
        x = E(3, where='a')
        y = OSError(2, 'gone', 'f')
        z = ExceptionGroup('g', [x, y])
        try: int('a')
        except ValueError as e: v = e
        try: b'\xff'.decode()
        except UnicodeDecodeError as e: u = e
        """,
        "type(x) is E and x.code == 3 and str(x) == '3 at a'",
        "y.errno == 2 and y.filename == 'f' and z.exceptions[0] is x and u.start == 0",
    ),
    kept(
        "generic aliases",
        """
        import typing
        x = [list[int], dict[str, 'A'], int | None, typing.Optional[int], typing.Callable[[int], str]]
        """,
        "x[0] == list[int] and x[2] == (int | None) and x[4] == typing.Callable[[int], str]",
    ),
    kept(
        "logger",
        """
        import logging
        x = logging.getLogger('a.b')
        y = logging.LoggerAdapter(x, {'k': 1})
        """,
        "x is logging.getLogger('a.b') and y.logger is x",
    ),
    kept(
        "ContextVar",
        """
        import contextvars
        x = contextvars.ContextVar('x', default=1)
        y = contextvars.ContextVar('y')
        y.set([2])
        """,
        "x.get() == 1 and y.get() == [2] and x.name == 'x'",
    ),
    kept(
        "random.Random",
        """
        import random
        x = random.Random(1)
        x.random()
        n = random.Random(1)
        n.random()
        n = n.random()
        y = random.random
        """,
        "x.random() == n and y.__self__ is random._inst",
        note="the module's own generator stays that of the module",
    ),
    kept(
        "os.environ",
        """
        import os
        x = os.environ
        """,
        "x is os.environ",
    ),
    kept(
        "partial application by operator",
        """
        import operator
        x = [operator.itemgetter(1), operator.attrgetter('a.b'), operator.methodcaller('upper')]
        """,
        "x[0]([1, 2]) == 2 and x[2]('a') == 'A'",
    ),
    kept(
        "module that a cell made",
        """
        import types
        x = types.ModuleType('made')
        exec('def get(): return k', x.__dict__)
        x.k = 5
        f = x.get
        import sys
        sys.modules['registered'] = y = types.ModuleType('registered')
        y.z = 1
        """,
        "x.k = 6; assert x.get() == f() == 6",
        "y.z == 1",
        "x.__name__ == 'made'",
    ),
    kept(
        "ctypes structures and arrays",
        """
        import ctypes
        class P(ctypes.Structure):
            _fields_ = [('x', ctypes.c_int), ('y', ctypes.c_double)]
            def total(self): return self.x + self.y
        x = P(1, 2.5)
        y = (ctypes.c_int * 3)(1, 2, 3)
        """,
        "x.total() == 3.5",
        "type(x) is P",
        "list(y) == [1, 2, 3]",
    ),
)
