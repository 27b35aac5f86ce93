"""Which of Streamlit's scripts are asked for ahead."""

from importlib.resources import files

from gallery.ahead import WANTED, scripts_ahead


def test_every_script_is_one_file_of_this_streamlit() -> None:
    """Where a later version calls one otherwise, it would only come later; this tells us."""
    addresses = scripts_ahead()
    assert [address.rpartition("/")[2].partition(".")[0] for address in addresses] == list(WANTED)
    assert all((files("streamlit") / "static" / address).is_file() for address in addresses)
