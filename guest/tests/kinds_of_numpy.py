"""Arrays: their order, their flags, and who shares memory with whom."""

from __future__ import annotations

from object_kind import Kind, group, kept

NUMPY: list[Kind] = group(
    "numpy",
    kept(
        "array",
        """
        import numpy as np
        x = np.arange(100_000.)
        y = np.arange(6).reshape(2, 3)
        z = np.array(5)
        e = np.zeros((0, 3))
        """,
        "x.sum() == 4999950000 and y.tolist() == [[0, 1, 2], [3, 4, 5]] and z == 5 and e.shape == (0, 3)",
        "x[0] = 7; y[0, 0] = 7; z[...] = 7",
    ),
    kept(
        "Fortran and other orders",
        """
        import numpy as np
        x = np.asfortranarray(np.arange(60_000.).reshape(200, 300))
        y = np.empty_like(np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2))
        y[:] = 1
        s = y.strides
        """,
        "x.flags.f_contiguous and x[1, 2] == 302",
        "y.strides == s and y.sum() == 24",
    ),
    kept(
        "read-only array",
        """
        import numpy as np
        x = np.arange(3)
        x.flags.writeable = False
        y = np.arange(50_000.)
        y.flags.writeable = False
        b = np.frombuffer(b'abcd', 'u1')
        """,
        "not (x.flags.writeable or y.flags.writeable or b.flags.writeable)",
        "x.flags.writeable = y.flags.writeable = True; x[0] = y[0] = 9",
        note="and can be made writable again if it could be",
    ),
    kept(
        "views of one array",
        """
        import numpy as np
        big = np.arange(100_000.)
        a = big[10:20]
        b = big[::2]
        t = big.reshape(100, 1000).T
        r = big[::-1]
        """,
        "a[0] = -1; assert big[10] == b[5] == t[10, 0] == r[-11] == -1",
        "big[0] = -2; assert b[0] == r[-1] == -2",
    ),
    kept(
        "slices of an array that is gone",
        """
        import numpy as np
        big = np.arange(1_000_000.)
        a = big[10:20]
        b = big[15:25]
        c = big[500:510]
        del big
        """,
        "a[5] = -1; assert b[0] == -1 and c[0] == 500",
    ),
    kept(
        "views of fields, of bytes, of themselves",
        """
        import numpy as np
        r = np.zeros(3, [('a', 'f8'), ('b', 'i4')])
        f = r['b']
        m = bytearray(16)
        w = np.frombuffer(m, 'i4')
        n = np.arange(4)
        n2 = n
        """,
        "f[1] = 5; assert r['b'][1] == 5",
        "m[0] = 7; assert w[0] == 7",
        "n2 is n",
    ),
    kept(
        "broadcast array",
        """
        import numpy as np
        x = np.broadcast_to(np.arange(3), (1000, 3))
        """,
        "x.shape == (1000, 3) and x.strides[0] == 0 and not x.flags.writeable",
    ),
    kept(
        "structured and record array",
        """
        import numpy as np
        x = np.array([(1, 2.5, 'a')], [('i', 'i4'), ('f', 'f8'), ('s', 'U3')])
        y = x.view(np.recarray)
        """,
        "x['f'][0] == 2.5 and y.s[0] == 'a' and x.dtype.names == ('i', 'f', 's')",
    ),
    kept(
        "datetime64, timedelta64, NaT",
        """
        import numpy as np
        x = np.array(['2024-01-01', 'NaT'], 'M8[s]')
        y = np.arange(3).astype('m8[D]').reshape(3, 1)
        """,
        "x.dtype == 'M8[s]' and np.isnat(x[1]) and y[2, 0] == np.timedelta64(2, 'D')",
    ),
    kept(
        "text arrays",
        """
        import numpy as np
        x = np.array(['a', 'bcd'])
        y = np.array(['a', 'b' * 100], dtype=np.dtypes.StringDType())
        b = np.array([b'x', b'yz'])
        """,
        "x.dtype == 'U3' and y[1] == 'b' * 100 and b[1] == b'yz'",
    ),
    kept(
        "array of objects",
        """
        import numpy as np
        inner = [1]
        x = np.array([inner, None, 'a'], dtype=object)
        y = x[::2]
        """,
        "x[0] is inner",
        "x[2] = 'new'; assert y[1] == 'new'",
    ),
    kept(
        "array of text objects",
        r"""
        import numpy as np
        x = np.array(['a', 'b\n', ''] * 100 + [None, float('nan')], dtype=object)
        """,
        "x[1] == 'b\\n' and x[-2] is None and x[-1] != x[-1] and x[0] is x[3]",
    ),
    kept(
        "masked array, matrix",
        """
        import numpy as np
        x = np.ma.array([1, 2, 3], mask=[0, 1, 0])
        y = np.matrix([[1, 2]])
        """,
        "x.sum() == 4 and (y * y.T)[0, 0] == 5",
    ),
    kept(
        "array of a class of its own",
        """
        import numpy as np
        class Info(np.ndarray):
            def __new__(cls, data, info):
                o = np.asarray(data).view(cls)
                o.info = info
                return o
            def __array_finalize__(self, o): self.info = getattr(o, 'info', None)
        x = Info([1, 2], {'unit': 'm'})
        """,
        "type(x) is Info and x.info == {'unit': 'm'} and (x + 1).info is x.info and x.tolist() == [1, 2]",
    ),
    kept(
        "memory-mapped array",
        """
        import numpy as np, os, tempfile
        fd, p = tempfile.mkstemp()
        np.memmap(p, 'f8', 'w+', shape=4)[:] = 2
        x = np.memmap(p, 'f8', 'r')
        os.unlink(p)
        os.close(fd)
        """,
        "x.sum() == 8",
        note="as a copy in memory",
    ),
    kept(
        "Generator and RandomState",
        """
        import numpy as np
        x = np.random.default_rng(1)
        x.random(3)
        n = np.random.default_rng(1).random(4)[3]
        y = np.random.RandomState(1)
        g = np.random.mtrand._rand
        """,
        "x.random() == n and y.randint(10) == 5 and g is np.random.mtrand._rand",
    ),
    kept(
        "scalars, dtypes, ufuncs",
        """
        import numpy as np
        x = [np.float32(1.5), np.int64(3), np.dtype('f4'), np.add, np.bool_(True)]
        v = np.vectorize(lambda a: a + 1)
        """,
        "type(x[0]) is np.float32 and x[2] == 'f4' and x[3] is np.add and v([1])[0] == 2",
    ),
)
