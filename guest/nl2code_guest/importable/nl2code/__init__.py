"""What code in a cell may ask of the host: `nl2code.tools`. It works in a session and nowhere else."""

from nl2code_guest.bridge import NonDeterministicReplay, ToolError, Uncertain

from . import tools

__all__ = ["NonDeterministicReplay", "ToolError", "Uncertain", "tools"]
