"""Tables outside pandas."""

from __future__ import annotations

from object_kind import Kind, group, kept

PYARROW: list[Kind] = group(
    "pyarrow",
    kept(
        "Array, ChunkedArray, Table, RecordBatch",
        """
        import pyarrow as pa
        a = pa.array([1, None, 3])
        c = pa.chunked_array([[1], [2]])
        t = pa.table({'a': range(9_000), 's': ['x'] * 9_000})
        b = t.to_batches()[0]
        """,
        "a.null_count == 1",
        "c.num_chunks == 2",
        "t.num_rows == b.num_rows == 9_000",
        "t.column('s')[5].as_py() == 'x'",
    ),
    kept(
        "dictionary, struct, list, schema",
        """
        import pyarrow as pa
        x = pa.array(['a', 'b', 'a']).dictionary_encode()
        y = pa.array([{'k': [1]}, None])
        s = pa.schema([('a', pa.int8())], metadata={'m': '1'})
        """,
        "x.to_pylist() == ['a', 'b', 'a']",
        "y.to_pylist() == [{'k': [1]}, None]",
        "s.metadata == {b'm': b'1'}",
    ),
    kept(
        "slice of a large table",
        """
        import pyarrow as pa
        x = pa.table({'a': range(200_000)}).slice(5, 3)
        """,
        "x.column('a').to_pylist() == [5, 6, 7] and x.get_total_buffer_size() < 10_000",
        note="takes only its own rows along",
    ),
    kept(
        "dataset",
        """
        import pyarrow as pa, pyarrow.dataset as ds, pyarrow.parquet as pq, tempfile, shutil
        folder = tempfile.mkdtemp()
        pq.write_table(pa.table({'a': [1, 2]}), folder + '/f.parquet')
        x = ds.dataset(folder)
        """,
        "x.to_table(filter=ds.field('a') > 1).num_rows == 1",
        "shutil.rmtree(folder); assert x.files",
        note="its files are the session's files",
    ),
)

POLARS: list[Kind] = group(
    "polars",
    kept(
        "DataFrame",
        """
        import polars as pl
        df = pl.DataFrame({'a': [1.5, None], 's': ['x', 'y'], 'l': [[1], [2, 3]]})
        df = df.with_columns(c=pl.Series(['p', 'q'], dtype=pl.Categorical))
        df = df.with_columns(e=pl.Series(['v', 'u'], dtype=pl.Enum(['u', 'v'])))
        schema = dict(df.schema)
        """,
        "dict(df.schema) == schema and df['a'].sum() == 1.5 and df['l'][1].to_list() == [2, 3]",
        needs="polars",
    ),
    kept(
        "Series",
        """
        import polars as pl
        df = pl.DataFrame({'a': [1.5, None], 's': ['x', 'y'], 'l': [[1], [2, 3]]})
        df = df.with_columns(c=pl.Series(['p', 'q'], dtype=pl.Categorical))
        x = df['s']
        y = df['c']
        """,
        "x.to_list() == ['x', 'y'] and x.name == 's' and y.dtype == pl.Categorical",
        needs="polars",
    ),
    kept(
        "LazyFrame and Expr",
        """
        import polars as pl
        df = pl.DataFrame({'a': [1.5, None], 's': ['x', 'y'], 'l': [[1], [2, 3]]})
        df = df.with_columns(c=pl.Series(['p', 'q'], dtype=pl.Categorical))
        x = df.lazy().filter(pl.col('a') > 1)
        y = pl.col('a') * 2
        """,
        "x.collect().height == 1 and df.select(y)['a'][0] == 3",
        needs="polars",
    ),
)
