"""What a session keeps on disk, so that every cell's result, variables and files outlive whatever dies.

A checkpoint folder holds two kinds of things. **Segments** are immutable files of raw bytes: pickled variables, their
buffers, contents of workspace files. **Manifests** are one sealed file per committed cell: the reply, and a state that
says which bytes of which segments belong to it. A cell is committed by the rename of its manifest and by nothing else;
segments that no manifest names are rubbish and are swept.

| file | what it is |
|---|---|
| `manifests.py` | one sealed file per committed cell; finds the newest that can be trusted. Standard library only |
| `fail_points.py` | named places where a test may have the process killed |

Nothing here imports a data library; who needs one looks whether a cell has imported it.
"""
