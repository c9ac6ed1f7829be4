"""Functions, with all that hangs on them."""

from __future__ import annotations

from object_kind import Kind, group, kept

FUNCTIONS: list[Kind] = group(
    "Functions",
    kept(
        "function over a global",
        """
        data = [1, 2]
        def x(): return sum(data)
        """,
        "x() == 3",
        "data = [5]; assert x() == 5",
        note="sees the variable as it is when called",
    ),
    kept(
        "function that calls others",
        """
        def f(n): return g(n) + 1
        def g(n): return n * 2
        x = [f, f]
        """,
        "x[0] is x[1] is f",
        "f(2) == 5",
    ),
    kept(
        "closures that share a variable",
        """
        def make():
            n = 0
            def up():
                nonlocal n
                n += 1
                return n
            return up, lambda: n
        up, now = make()
        up()
        """,
        "up() == 2",
        "now() == 2",
    ),
    kept(
        "local function that calls itself",
        """
        def make():
            def fact(n): return 1 if n < 2 else n * fact(n - 1)
            return fact
        x = make()
        """,
        "x(5) == 120",
    ),
    kept(
        "local functions that call each other",
        """
        def make():
            def even(n): return n == 0 or odd(n - 1)
            def odd(n): return n > 0 and even(n - 1)
            return even, odd
        even, odd = make()
        """,
        "even(10) and not odd(10)",
    ),
    kept(
        "lambda",
        "x = {'f': lambda v: v * 2}",
        "x['f'](4) == 8",
    ),
    kept(
        "mutable default argument",
        """
        seen = []
        def x(v, seen=seen, *, scale=2):
            seen.append(v)
            return v * scale
        """,
        "x(3) == 6",
        "seen == [3]",
    ),
    kept(
        "decorated function",
        """
        import functools
        def twice(f):
            @functools.wraps(f)
            def run(*a): return f(*a) * 2
            run.calls = []
            return run
        @twice
        def x(v):
            'doc'
            return v
        """,
        "x(2) == 4",
        "x.__wrapped__(2) == 2 and x.__doc__ == 'doc' and x.calls == []",
    ),
    kept(
        "partial",
        """
        import functools
        def f(a, b): return a - b
        x = functools.partial(f, b=1)
        """,
        "x(3) == 2",
        "x.func is f",
    ),
    kept(
        "bound methods",
        """
        class A:
            def __init__(self): self.v = 1
            def get(self): return self.v
            @classmethod
            def kind(cls): return cls
            @staticmethod
            def two(): return 2
        a = A()
        x = a.get
        y = A.kind
        z = A.two
        """,
        "a.v = 5; assert x() == 5",
        "y() is A and z() == 2 and z is A.two",
    ),
    kept(
        "method of a list",
        """
        a = []
        x = a.append
        """,
        "x(1); assert a == [1]",
    ),
    kept(
        "generator and async functions",
        """
        def x():
            yield 1
        async def y(): return 2
        """,
        "list(x()) == [1]",
        "import asyncio; assert asyncio.run(y()) == 2",
    ),
    kept(
        "annotations and attributes",
        """
        def x(a: int) -> 'str': return a
        x.tag = {'k': 1}
        """,
        "x.__annotations__ == {'a': int, 'return': 'str'} and x.tag == {'k': 1}",
    ),
    kept(
        "lru_cache",
        """
        import functools
        @functools.lru_cache(maxsize=7)
        def x(n): return n if n < 2 else x(n - 1) + x(n - 2)
        x(20)
        y = [x]
        """,
        "x(30) == 832040",
        "x.cache_parameters() == {'maxsize': 7, 'typed': False} and y[0] is x",
        note="its cache is empty",
    ),
    kept(
        "cache on a method",
        """
        import functools
        class A:
            calls = 0
            @functools.cache
            def get(self):
                A.calls += 1
                return 7
        x = A()
        x.get()
        """,
        "x.get() == x.get() == 7",
        "A.calls == 2",
        note="its cache is empty",
    ),
    kept(
        "singledispatch",
        """
        import functools
        @functools.singledispatch
        def x(v): return 'any'
        class A: pass
        @x.register
        def _(v: int): return 'int'
        x.register(A, lambda v: 'A')
        a = A()
        """,
        "[x('s'), x(1), x(a)] == ['any', 'int', 'A']",
    ),
    kept(
        "singledispatchmethod",
        """
        import functools
        class A:
            @functools.singledispatchmethod
            def f(self, v): return 'any'
            @f.register
            def _(self, v: int): return 'int'
        x = A()
        """,
        "x.f(1) == 'int' and x.f('') == 'any'",
    ),
    kept(
        "function that was defined anew",
        """
        def f(): return 1
        old = f
        def f(): return 2
        """,
        "old() == 1 and f() == 2",
    ),
    kept(
        "function with globals of its own",
        """
        own = {'k': 3}
        exec('def x(): return k', own)
        x = own['x']
        """,
        "x() == 3",
        "own['k'] = 4; assert x() == 4",
    ),
    kept(
        "function that reaches a submodule",
        """
        import scipy.stats, scipy
        def x(): return scipy.stats.norm.cdf(0)
        """,
        "x() == 0.5",
    ),
)
