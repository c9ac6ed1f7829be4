"""Classes that cells define, and their instances."""

from __future__ import annotations

from object_kind import Kind, group, kept

CLASSES: list[Kind] = group(
    "Classes and instances",
    kept(
        "class and instances",
        """
        class A:
            seen = []
            def __init__(self, v): self.v = v; A.seen.append(self)
        a = A(1)
        many = [A(2), A(3)]
        """,
        "type(a) is A is type(many[0])",
        "A.seen == [a, *many]",
        "A(4).v == 4",
    ),
    kept(
        "inheritance and super()",
        """
        class A:
            def __init__(self): self.a = 1
        class B(A):
            def __init__(self): super().__init__(); self.b = 2
        x = B()
        """,
        "x.a + x.b == 3 and isinstance(x, A)",
        "B().a == 1",
    ),
    kept(
        "classes that count their subclasses",
        """
        class Base:
            known = []
            def __init_subclass__(cls, *, tag): Base.known.append((tag, cls))
        class Sub(Base, tag='s'): pass
        """,
        "Base.known == [('s', Sub)]",
        note="no hook runs twice",
    ),
    kept(
        "metaclass",
        """
        class M(type):
            made = []
            def __new__(m, name, bases, body, *, tag):
                M.made.append(tag)
                return super().__new__(m, name, bases, body)
            def __init__(cls, *a, **k): super().__init__(*a)
            def __len__(cls): return 3
        class A(metaclass=M, tag=1): pass
        x = A()
        """,
        "M.made == [1] and type(A) is M and len(A) == 3",
        "type(x) is A",
    ),
    kept(
        "slots",
        """
        class A:
            __slots__ = ('v', '__w')
            def __init__(self): self.v = self.__w = 1
        x = A()
        """,
        "x.v == x._A__w == 1 and not hasattr(x, '__dict__')",
    ),
    kept(
        "dataclass",
        """
        import dataclasses as dc
        @dc.dataclass(order=True)
        class A:
            a: int
            b: list = dc.field(default_factory=list)
        x = A(1)
        """,
        "x == A(1) < A(2)",
        "dc.replace(x, a=5).a == 5",
        "exec('@dc.dataclass\\nclass B(A):\\n    c: int = 3'); assert B(1).c == 3",
    ),
    kept(
        "frozen dataclass with slots",
        """
        import dataclasses as dc
        @dc.dataclass(frozen=True, slots=True)
        class A:
            a: int = 1
        x = {A(): 'k'}
        """,
        "x[A()] == 'k'",
    ),
    kept(
        "Enum",
        """
        import enum
        class C(enum.Enum):
            R = 1
            G = 2
            RED = 1
            @property
            def low(self): return self.name.lower()
        x = {C.R: 'r'}
        y = C.G
        """,
        "y is C.G is C(2)",
        "x[C.RED] == 'r' and C.RED is C.R and y.low == 'g' and len(C) == 2",
    ),
    kept(
        "Enum with a constructor",
        """
        import enum
        class P(enum.Enum):
            E = (5.9, 6.3)
            def __init__(self, mass, radius): self.mass = mass
        class I(int, enum.Enum):
            A = (1, 'one')
            def __new__(cls, v, label):
                o = int.__new__(cls, v)
                o._value_ = v
                o.label = label
                return o
        x = P.E
        y = I.A
        """,
        "x is P.E and x.mass == 5.9",
        "y is I.A and y + 1 == 2 and y.label == 'one'",
    ),
    kept(
        "Flag, IntEnum, StrEnum",
        """
        import enum
        class F(enum.Flag):
            A = enum.auto()
            B = enum.auto()
            AB = A | B
        class I(enum.IntEnum):
            ONE = 1
        class S(enum.StrEnum):
            A = enum.auto()
        x = F.A | F.B
        i = I.ONE
        s = S.A
        """,
        "x is F.AB and F.A in x and i is I.ONE and i + 1 == 2 and s is S.A and s == 'a'",
    ),
    kept(
        "NamedTuple and namedtuple",
        """
        import collections, typing
        class N(typing.NamedTuple):
            a: int
            b: str = 'x'
        P = collections.namedtuple('P', 'x y', defaults=[3])
        x = N(1)
        y = P(1)
        """,
        "x == N(1, 'x') and type(x) is N and y._replace(x=2) == P(2) and y.y == 3",
    ),
    kept(
        "TypedDict, NewType, TypeVar, ParamSpec",
        """
        import typing
        class D(typing.TypedDict):
            a: int
        U = typing.NewType('U', int)
        T = typing.TypeVar('T', bound=int)
        Ps = typing.ParamSpec('Ps')
        x = [U, T, Ps, D(a=1)]
        """,
        "x[0] is U",
        "x[1] is T",
        "x[2] is Ps",
        "T.__bound__ is int",
        "U(3) == 3",
        "D.__annotations__ == {'a': int}",
    ),
    kept(
        "ABC",
        """
        import abc
        class A(abc.ABC):
            @abc.abstractmethod
            def go(self): ...
        class B(A):
            def go(self): return 1
        A.register(int)
        x = B()
        """,
        "x.go() == 1 and isinstance(x, A) and isinstance(3, A)",
        "A.__abstractmethods__ == {'go'}",
    ),
    kept(
        "Generic and Protocol",
        """
        import typing
        T = typing.TypeVar('T')
        class S(typing.Generic[T]):
            def __init__(self): self.items = []
        @typing.runtime_checkable
        class P(typing.Protocol):
            items: list
        x = S[int]()
        a = S[int] | None
        """,
        "type(x) is S and S.__parameters__ == (T,) and isinstance(x, P)",
        "typing.get_args(a)[0].__origin__ is S",
    ),
    kept(
        "property, descriptor, class in a class",
        """
        class D:
            def __set_name__(self, owner, name): self.name = name
            def __get__(self, o, t=None): return self.name
        class A:
            d = D()
            class In: pass
            @property
            def p(self): return self._p
            @p.setter
            def p(self, v): self._p = v
        x = A()
        x.p = 1
        y = A.In()
        """,
        "x.d == 'd' and x.p == 1 and type(y) is A.In",
    ),
    kept(
        "cached_property",
        """
        import functools
        class A:
            n = 0
            @functools.cached_property
            def v(self):
                A.n += 1
                return A.n
        x = A()
        x.v
        """,
        "x.v == 1 and A().v == 2",
    ),
    kept(
        "class that was defined anew",
        """
        class A: v = 1
        x = A()
        y = A()
        class A: v = 2
        """,
        "type(x) is type(y) is not A and x.v == 1 and A.v == 2",
    ),
    kept(
        "class made in a function",
        """
        def make():
            class L:
                def me(self): return L
            return L(), L
        x, K = make()
        """,
        "type(x) is K is x.me()",
    ),
    kept(
        "__reduce__, __getstate__",
        """
        class A:
            def __init__(self, v): self.v = v
            def __reduce__(self): return A, (self.v,)
        class B:
            def __getstate__(self): return {'s': 1}; t = 1
            def __setstate__(self, s): self.t = s['s']
        x = A(1)
        y = B()
        """,
        "x.v == 1 and y.t == 1",
    ),
    kept(
        "object that names itself in __reduce__",
        """
        class K:
            def __reduce__(self): return 'NOTHING'
        NOTHING = K()
        NOTHING.tag = 1
        x = [NOTHING, NOTHING]
        """,
        "x[0] is x[1] is NOTHING and NOTHING.tag == 1",
    ),
    kept(
        "classes whose __new__ or __init__ wants arguments",
        """
        import collections
        class A:
            made = 0
            def __new__(cls, v):
                A.made += 1
                return super().__new__(cls)
            def __init__(self, v): self.v = v
        class N(int):
            def __new__(cls, v, unit):
                o = super().__new__(cls, v)
                o.unit = unit
                return o
        class D(collections.defaultdict):
            def __init__(self, owner): super().__init__(list); self.owner = owner
        class S(set):
            def __init__(self, a, b): super().__init__([a, b])
        class O(collections.OrderedDict):
            def __init__(self, *, tag): super().__init__(); self.tag = tag
        class Q(collections.deque):
            def __init__(self): super().__init__([1, 2], 2)
        x = A(1)
        n = N(5, 'kg')
        d = D(x)
        d['k'].append(x)
        s = S(1, 2)
        o = O(tag='t')
        o['z'] = 1
        q = Q()
        """,
        "x.v == 1 and A.made == 1 and n == 5 and n.unit == 'kg'",
        "d['k'][0] is d.owner is x and d['new'] == [] and s == {1, 2} and type(s) is S",
        "o.tag == 't' and list(o) == ['z'] and type(o) is O and list(q) == [1, 2] and q.maxlen == 2",
    ),
    kept(
        "wrapper that passes attributes on, frozen object",
        """
        class W:
            def __init__(self, inner): self.inner = inner
            def __getattr__(self, name): return getattr(self.inner, name)
        class F:
            __slots__ = ('v',)
            def __init__(self, v): object.__setattr__(self, 'v', v)
            def __setattr__(self, name, value): raise AttributeError('frozen')
        x = W([1])
        y = F(x)
        """,
        "x.append(2); assert x.inner == [1, 2]",
        "y.v is x",
    ),
    kept(
        "object with a lock",
        """
        import threading
        class A:
            def __init__(self): self.lock = threading.Lock(); self.again = threading.RLock(); self.v = 1
        x = A()
        """,
        "x.lock.acquire(False) and x.again.acquire(False) and x.v == 1",
        note="the lock is a new one, not held",
    ),
    kept(
        "Queue, Event, Condition, Semaphore",
        """
        import queue, threading
        x = queue.Queue()
        x.put(1)
        e = threading.Event()
        e.set()
        s = threading.Semaphore(2)
        c = threading.Condition()
        """,
        "x.get_nowait() == 1 and e.is_set() and s.acquire(False)",
        "c.acquire(); c.notify_all(); c.release()",
    ),
    kept(
        "weakref.ref",
        """
        import weakref
        class A:
            def go(self): return 5
        a = A()
        x = weakref.ref(a)
        a.me = weakref.ref(a)
        n = weakref.ref(A())
        m = weakref.WeakMethod(a.go)
        """,
        "x() is a is a.me() and n() is None and m()() == 5",
        "a = None; import gc; gc.collect(); assert x() is None",
        note="dead if no saved variable holds what it points at",
    ),
    kept(
        "WeakValueDictionary and its like",
        """
        import weakref
        class A: pass
        a = A()
        v = weakref.WeakValueDictionary(k=a)
        k = weakref.WeakKeyDictionary()
        k[a] = 1
        s = weakref.WeakSet([a])
        """,
        "v['k'] is a and k[a] == 1 and a in s",
        "a = None; import gc; gc.collect(); assert not v and not k and not s",
    ),
)
