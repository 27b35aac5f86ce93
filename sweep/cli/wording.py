"""The values and names of strangers as a terminal may show them, and messages to the user."""

import sys


def printable(text: str) -> str:
    """Without control characters: messages quote names of files, and a terminal would obey what stands in them."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def plain(value: object) -> str:
    """A parameter's value: floats without noise, None as 'default', text fit for a terminal."""
    if value is None:
        return "default"
    return f"{value:.4g}" if isinstance(value, float) else printable(str(value))


def say(line: str) -> None:
    """A message to the user; standard output is for answers."""
    print(printable(line), file=sys.stderr, flush=True)
