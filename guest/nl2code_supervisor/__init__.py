"""The detached parent of one sandbox: standard library only, no secrets, outside the reach of the code that runs inside."""
