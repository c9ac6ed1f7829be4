"""One kind of object: what a cell makes, and what another process must find true of it afterwards."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace

from nl2code_guest.checkpoint.refusals import Refused


@dataclass(frozen=True)
class Kind:
    """A row of the table."""

    what: str
    #: The code of a cell.
    make: str
    #: Lines that are true, or statements that raise nothing, in the process that loads. Empty for what is refused.
    checks: tuple[str, ...] = ()
    #: The kind of refusal of the variable `x`, and its sentence.
    refusal: str = ""
    message: str = ""
    note: str = ""
    #: A library that the runtime does not bring; the row is only tried where it is there.
    needs: str = ""
    #: Code that cleans up in the process that saved.
    after: str = ""
    group: str = ""


def group(name: str, *kinds: Kind) -> list[Kind]:
    """Rows under one heading."""
    return [replace(kind, group=name) for kind in kinds]


def kept(what: str, make: str, *checks: str, note: str = "", needs: str = "") -> Kind:
    """A row for an object that comes back."""
    return Kind(what, textwrap.dedent(make), checks, note=note, needs=needs)


def refused(what: str, make: str, kind: str, message: str = "", after: str = "") -> Kind:
    """A row for an object that is not saved."""
    sentence = message or Refused(kind).message
    return Kind(what, textwrap.dedent(make), refusal=kind, message=sentence, after=after)
