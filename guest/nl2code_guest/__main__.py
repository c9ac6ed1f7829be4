"""`python3 -s -P -m nl2code_guest …`: the first process of a sandbox."""

from __future__ import annotations

import sys

from nl2code_guest.init import main

if __name__ == "__main__":
    main(sys.argv[1:])
