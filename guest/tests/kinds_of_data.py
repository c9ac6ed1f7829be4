"""Lists, dicts and what else is plain."""

from __future__ import annotations

from object_kind import Kind, group, kept

DATA: list[Kind] = group(
    "Plain data",
    kept(
        "numbers, text, None",
        "x = (1, -2.5, 3 + 4j, 10**40, float('inf'), 'ä€', b'\\0', None, True, ...)",
        "x[3] == 10**40",
        "x[9] is ...",
    ),
    kept(
        "two names of one list",
        """
        a = [1]
        b = {'inner': a}
        c = b
        """,
        "b['inner'] is a",
        "c is b",
    ),
    kept(
        "a list that holds itself",
        """
        x = [1]
        x.append(x)
        """,
        "x[1] is x",
    ),
    kept(
        "dict in its order",
        "x = {'b': 1, 'a': 2, (1, 2): [3]}",
        "list(x) == ['b', 'a', (1, 2)]",
    ),
    kept(
        "set and frozenset",
        """
        x = {1, 'a'}
        y = frozenset([1, 2])
        """,
        "x == {1, 'a'}",
        "y == {1, 2}",
        note="in no particular order",
    ),
    kept(
        "deque",
        """
        import collections
        x = collections.deque([1, 2], maxlen=2)
        """,
        "x.append(3); assert list(x) == [2, 3]",
    ),
    kept(
        "Counter, OrderedDict, ChainMap",
        """
        from collections import *
        x = Counter('aab')
        y = OrderedDict(b=1, a=2)
        z = ChainMap({}, y)
        """,
        "x['a'] == 2",
        "list(y) == ['b', 'a']",
        "z.maps[1] is y",
    ),
    kept(
        "defaultdict with a lambda",
        """
        import collections
        x = collections.defaultdict(lambda: [limit])
        limit = 3
        """,
        "x['new'] == [3]",
    ),
    kept(
        "bytearray and array.array",
        """
        import array
        x = bytearray(b'ab')
        y = array.array('d', [1.5])
        """,
        "x.append(3); assert x == b'ab\\3'",
        "y[0] == 1.5",
    ),
    kept(
        "range, slice",
        "x = [range(3), slice(1, None)]",
        "x == [range(3), slice(1, None)]",
    ),
    kept(
        "keys(), values(), items()",
        """
        d = {'a': 1}
        x = [d.keys(), d.items()]
        """,
        "d.update(b=2); assert list(x[0]) == ['a', 'b'] and ('b', 2) in x[1]",
        note="still views of the same dict",
    ),
    kept(
        "mappingproxy, SimpleNamespace",
        """
        import types
        d = {'a': 1}
        x = types.MappingProxyType(d)
        y = types.SimpleNamespace(d=d)
        """,
        "d.update(b=2); assert x['b'] == 2",
        "y.d is d",
    ),
    kept(
        "globals()",
        "x = globals()",
        "x is globals()",
    ),
)
