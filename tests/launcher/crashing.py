"""A procedure that cannot be built, for tests of what becomes of runs that crash."""


class Crashing:
    """Raises where a model is wanted."""

    def __init__(self, *given: object) -> None:
        raise RuntimeError("broken on purpose")
