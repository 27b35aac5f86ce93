"""A text to copy or to save as a file, made in the browser: Streamlit would keep a download in its memory."""

from gallery.components.mount import load

_save = load("save")


def save(text: str, *, name: str, key: str) -> None:
    """A button that saves the text under a name, and one that copies it."""
    _save(key=key, data={"text": text, "name": name})
