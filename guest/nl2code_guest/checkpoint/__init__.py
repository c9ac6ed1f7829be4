"""What a session keeps on disk, so that every cell's result, variables and files outlive whatever dies.

A checkpoint folder holds two kinds of things. **Segments** are immutable files of raw bytes: pickled variables, their
buffers, contents of workspace files. **Manifests** are one sealed file per committed cell: the reply, and a state that
says which bytes of which segments belong to it. A cell is committed by the rename of its manifest and by nothing else;
segments that no manifest names are rubbish and are swept.

| file | what it is |
|---|---|
| `manifests.py` | one sealed file per committed cell; finds the newest that can be trusted. Standard library only |
| `segments.py` | reads segments, never one that is not whole; sweeps those that no manifest names |
| `segment_writer.py` | writes the segments of one save, all or none |
| `segment_format.py` | what a segment looks like on disk |
| `verified_record.py` | which segments need not be read through again in this boot |
| `buffers.py` | cuts out-of-band buffers into chunks that follow columns; equal chunks are stored once |
| `mapping.py` | gives a saved buffer back as private memory, mapped copy-on-write where that can be |
| `compaction.py` | idle work: moved buffers are made mappable again, orphans are swept |
| `workspace_files.py` | finds changed files of the workspace and puts their contents into segments |
| `workspace_restore.py` | makes the workspace what a state says |
| `workspace_index.py` | what a state says of files, and when a file is certainly unchanged |
| `file_contents.py`, `file_copy.py` | contents as chunks, copied inside the system |
| `folder_access.py`, `input_links.py` | going into folders without following links; links to inputs |
| `pickler.py` | variables to a stream and buffers, and back; `pickling.py` is one such pickle |
| `reducers.py` | which of the files beside it handles which type; `refusals.py` says what nothing handles |
| `references.py` | what is named instead of saved: what can be imported, and top-level names of the session |
| `functions.py`, `classes.py`, `arrays.py`, `frames.py`, `arrow_tables.py`, … | how objects of a kind are saved |
| `reached.py`, `covariables.py` | which objects tie variables together, and which variables are one for that |
| `session_state.py` | the way in: begin, save, settle, restore, tidy. Owns what of a session is in no manifest yet |
| `bindings.py` | which names were bound anew, or are gone, since the cell before |
| `callbacks.py` | whether code of the session may run that no cell names |
| `reachability.py`, `touched.py` | which names a cell may have touched, told from code; what to look at then |
| `serialise.py`, `unsaved_reach.py` | variables to components, or a refusal and what the refused one leads to |
| `component.py`, `saved_state.py` | what is saved together; a state, deltas to it and their JSON |
| `save_work.py`, `forked_save.py`, `estimate.py` | one save; the child that does a large one; how large it is |
| `steady.py` | what cells have patched, traced or armed stays away from a save |
| `settings.py`, `process_settings.py`, `library_settings.py`, `random_state.py` | what cells change outside variables |
| `warnings_given.py` | warnings that were shown, so that they are not shown again |
| `restore.py`, `loading.py`, `versions.py` | a session in a new kernel; components as objects; what they depend on |
| `kernel_state.py` | the contract of `SessionState` |
| `machine_trouble.py` | errors that say nothing about a state |
| `recompute.py`, `history.py`, `recompute_marker.py` | cells run again for what could not be saved |
| `canonical.py`, `equality.py`, `session_threads.py` | whether they came out the same, and are over |
| `lost.py` | stands for what neither way brings back |
| `forks.py` | random numbers of a forked session's own |
| `tidying.py` | what an idle kernel does for its store |
| `quota.py` | what a session may still write |
| `fail_points.py` | named places where a test may have the process killed |

Nothing here imports a data library; who needs one looks whether a cell has imported it.
"""
