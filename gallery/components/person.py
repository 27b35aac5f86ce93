"""A name that the browser keeps, for its next visit and all pages."""

from gallery.components.mount import load

COOKIE = "stylesweep-person"
_person = load("person")


def keep(name: str, since: float | None) -> None:
    """Keep the name, or forget it where it is empty. since: when it was given in this visit; None where the browser had it already."""
    _person(key="kept", data={"name": name, "since": since, "cookie": COOKIE})
