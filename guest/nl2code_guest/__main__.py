"""`python3 -s -P -m nl2code_guest …`: the first process of a sandbox."""

from __future__ import annotations

import sys

from nl2code_guest.zygote_start import first_zygote

if __name__ == "__main__":
    zygote = first_zygote(sys.argv[1:])
    from nl2code_guest.init import main

    main(sys.argv[1:], zygote)
