"""Checks of a final script that run inside sandboxes: reading it, running it, comparing what two runs wrote.

Only ``run`` stands in a sandbox that executes generated code. Everything else runs in a sandbox of its own,
over files that a generated script wrote and that are hostile until proven dull.
"""
