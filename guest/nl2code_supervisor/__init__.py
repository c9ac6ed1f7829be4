"""The detached parent of one sandbox: standard library only, no secrets, out of reach of the code inside."""
