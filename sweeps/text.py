"""How counted things read, in whatever any of the programs says."""


def plural(number: int, noun: str) -> str:
    """Return `1 run`, `2 runs`, `1,058 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
