"""Runs a command on a terminal of its own and types into it.

``terminal_rig.py '[["pattern", "keys"], ...]' command...``: waits for each pattern in what the command
prints, then types the keys. Prints everything the command printed; the exit code is the command's.
"""

import fcntl
import json
import os
import pty
import re
import select
import struct
import sys
import termios
import time

LIMIT_S = 100


def main() -> int:
    """Play the script and pass on the exit code."""
    steps = json.loads(sys.argv[1])
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    printed = b""
    position = 0
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                chunk = os.read(terminal, 65536)
            except OSError:
                break
            if not chunk:
                break
            printed += chunk
        if steps and (found := re.search(steps[0][0].encode(), printed[position:])):
            position += found.end()
            os.write(terminal, steps.pop(0)[1].encode())
    else:
        os.kill(pid, 9)
    sys.stdout.buffer.write(printed)
    if steps:
        print(f"never seen: {steps[0][0]}")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
