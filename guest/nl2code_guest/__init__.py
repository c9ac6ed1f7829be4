"""The guest: what runs inside a sandbox. `docs/kernel-protocol.md` is the text of what it speaks."""
