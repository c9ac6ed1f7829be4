"""Frames and series; after a restore each has memory of its own."""

from __future__ import annotations

from object_kind import Kind, group, kept

PANDAS: list[Kind] = group(
    "pandas",
    kept(
        "DataFrame of numbers",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        sums = df.sum()
        """,
        "df.sum().equals(sums)",
        "list(df) == ['a', 'b', 'i']",
        "df.dtypes.tolist() == ['float64', 'float64', 'int64']",
        "df.loc[0, 'a'] = 5; df['n'] = 1",
    ),
    kept(
        "two names of one frame",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        x = df
        y = [df]
        """,
        "x is df is y[0]",
    ),
    kept(
        "text (str, string, object)",
        """
        import pandas as pd
        df = pd.DataFrame({'s': ['a', None, 'ü'] * 50, 'o': pd.Series(['x', 1, None] * 50, dtype=object)})
        df['t'] = df['s'].astype('string')
        p = df['s'].astype('string[python]')
        """,
        "df.dtypes.astype(str).tolist() == ['str', 'object', 'string']",
        "df['s'].iloc[2] == 'ü'",
        "df['s'].isna().sum() == 50",
        "df.loc[0, 's'] = 'neu'; assert df['s'].str.upper().iloc[0] == 'NEU' and p.dtype.storage == 'python'",
    ),
    kept(
        "slice of a large text column",
        """
        import pandas as pd
        x = pd.Series([f'v{i}' for i in range(20_000)])[100:103]
        """,
        "x.tolist() == ['v100', 'v101', 'v102'] and x.index[0] == 100",
        note="takes only its own rows along",
    ),
    kept(
        "Arrow-backed numbers and lists",
        """
        import pandas as pd, pyarrow as pa
        x = pd.Series([1, None], dtype='int64[pyarrow]')
        y = pd.Series([[1], [2, 3]], dtype=pd.ArrowDtype(pa.list_(pa.int64())))
        """,
        "str(x.dtype) == 'int64[pyarrow]' and x.sum() == 1 and list(y[1]) == [2, 3]",
        "x[0] = 5",
    ),
    kept(
        "nullable, boolean, sparse",
        """
        import pandas as pd
        df = pd.DataFrame({'i': pd.array([1, None], 'Int64'), 'b': pd.array([True, None], 'boolean')})
        df['s'] = pd.arrays.SparseArray([0, 1])
        """,
        "df.dtypes.astype(str).tolist() == ['Int64', 'boolean', 'Sparse[int64, 0]'] and df['i'].isna()[1]",
        "df.loc[0, 'i'] = 9; assert df['i'].sum() == 9",
    ),
    kept(
        "categories",
        """
        import pandas as pd
        x = pd.Series(['a', 'b', 'a'], dtype='category')
        y = x.copy()
        """,
        "x.cat.categories.tolist() == ['a', 'b'] and x.cat.codes.tolist() == [0, 1, 0]",
        "x[0] = 'b'; assert y[0] == 'a'",
    ),
    kept(
        "dates, time zones, periods, intervals",
        """
        import pandas as pd
        df = pd.DataFrame({'d': pd.date_range('2024', periods=3), 't': pd.to_timedelta([1, 2, 3], 'h')})
        df['z'] = pd.date_range('2024', periods=3, tz='Europe/Berlin')
        df['p'] = pd.period_range('2024', periods=3, freq='M')
        df['i'] = pd.interval_range(0, 3)
        dtypes = df.dtypes.astype(str).tolist()
        """,
        "df.dtypes.astype(str).tolist() == dtypes and df['z'].dt.hour[0] == 0 and df['i'][0].right == 1",
        "df.loc[0, 'd'] = pd.Timestamp('2025')",
    ),
    kept(
        "MultiIndex, names, attrs, freq",
        """
        import pandas as pd
        df = pd.DataFrame({'v': range(4)}, index=pd.MultiIndex.from_product([['a', 'b'], [1, 2]], names=['k', 'l']))
        df.attrs['src'] = {'u': 1}
        i = pd.date_range('2024', periods=3, freq='D')
        """,
        "df.loc[('b', 1), 'v'] == 2",
        "df.index.names == ['k', 'l']",
        "df.attrs == {'src': {'u': 1}}",
        "i.freq == 'D'",
    ),
    kept(
        "groupby, rolling, resample",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        g = df.groupby('i')['a']
        r = df['a'].rolling(2)
        q = pd.Series(1, pd.date_range('2024', periods=4)).resample('2D')
        """,
        "g.sum()[3] == 3 and r.mean()[1] == 0.5 and q.sum().tolist() == [2, 2]",
    ),
    kept(
        "Timestamp, NaT, NA, options",
        """
        import pandas as pd
        x = [pd.Timestamp('2024', tz='UTC'), pd.NaT, pd.NA, pd.Interval(0, 1), pd.offsets.MonthEnd()]
        o = pd.options
        """,
        "x[1] is pd.NaT and x[2] is pd.NA and x[0].year == 2024 and o is pd.options",
    ),
    kept(
        "a write to one, the other unchanged: column of a frame",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        s = df['a']
        """,
        "before = df['a'].iloc[0]; s.iloc[0] = 99; assert df['a'].iloc[0] == before",
    ),
    kept(
        "a write to one, the other unchanged: frame behind a column",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        s = df['a']
        """,
        "before = s.iloc[0]; df.loc[0, 'a'] = 99; assert s.iloc[0] == before",
    ),
    kept(
        "a write to one, the other unchanged: frame of some columns",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        s = df[['a', 'b']]
        """,
        "before = df.iloc[0, 0]; s.iloc[0, 0] = 99; assert df.iloc[0, 0] == before",
    ),
    kept(
        "a write to one, the other unchanged: shallow copy",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        s = df.copy(deep=False)
        """,
        "before = df.iloc[0, 1]; s.iloc[0, 1] = 99; assert df.iloc[0, 1] == before",
    ),
    kept(
        "a write to one, the other unchanged: slice of rows",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        s = df[:10]
        """,
        "before = df.iloc[0, 0]; s.iloc[0, 0] = 99; assert df.iloc[0, 0] == before",
    ),
    kept(
        "a write to one, the other unchanged: column assigned to another",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        df['c'] = df['a']
        """,
        "before = df['a'].iloc[0]; df.loc[0, 'c'] = 99; assert df['a'].iloc[0] == before",
    ),
    kept(
        "a write to one, the other unchanged: column of dates",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        df['d'] = pd.date_range('2024', periods=5_000)
        s = df['d']
        """,
        "before = df['d'].iloc[0]; s.iloc[0] = pd.Timestamp(0); assert df['d'].iloc[0] == before",
    ),
    kept(
        "a write to one, the other unchanged: column of text",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        df['t'] = 'old'
        s = df['t']
        """,
        "before = df['t'].iloc[0]; s.iloc[0] = 'new'; assert df['t'].iloc[0] == before",
    ),
    kept(
        "a write to one, the other unchanged: nullable column",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        df['n'] = pd.array([1] * 5_000, 'Int64')
        s = df['n']
        """,
        "before = df['n'].iloc[0]; s.iloc[0] = 99; assert df['n'].iloc[0] == before",
    ),
    kept(
        "a write to one, the other unchanged: renamed frame",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        s = df.rename(columns=str.upper)
        """,
        "before = df.iloc[0, 0]; s.iloc[0, 0] = 99; assert df.iloc[0, 0] == before",
    ),
    kept(
        "a write to one, the other unchanged: frame in a list",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        s = [df['a'], df['a']]
        """,
        "before = (s[1].iloc[0], df['a'].iloc[0]); s[0].iloc[0] = 99; assert (s[1].iloc[0], df['a'].iloc[0]) == before",
    ),
    kept(
        "array taken from a frame",
        """
        import pandas as pd, numpy as np
        df = pd.DataFrame({'a': np.arange(5_000.), 'b': np.arange(5_000.) * 2, 'i': range(5_000)})
        x = df['a'].to_numpy()
        y = df.to_numpy()
        """,
        "x[1] == 1 and not x.flags.writeable",
        "df.loc[0, 'a'] = 99; assert x[0] == 0",
        note="no longer over the frame's memory",
    ),
)
