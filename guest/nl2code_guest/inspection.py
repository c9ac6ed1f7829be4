"""The built-in look at the inputs."""


def report() -> None:
    print("not yet")
