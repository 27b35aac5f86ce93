"""Streamlit's own scripts that a run's page needs beside those of the gallery. No streamlit import but for where it lies.

They are megabytes, and a browser fetches and reads them when the first chart and the first file are drawn: opening the first run of a
visit took three times as long as opening another. The grid asks for them while its reader looks.
"""

import functools
from importlib.util import find_spec
from pathlib import Path

WANTED = ("ArrowVegaLiteChart", "embed", "vega-interpreter", "StreamlitSyntaxHighlighter", "PageLink", "LinkButton")
"""What the files' names begin with; a hash of what they hold follows."""


@functools.cache
def scripts_ahead() -> tuple[str, ...]:
    """Their addresses, from any page; without those that this Streamlit does not have."""
    spec = find_spec("streamlit")
    folder = Path(spec.origin).parent / "static/static/js" if spec and spec.origin else Path()
    return tuple(f"static/js/{path.name}" for name in WANTED for path in sorted(folder.glob(f"{name}.*.js")))
