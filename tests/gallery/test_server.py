import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gallery.server import serve, settings
from sweep.errors import SurroundingsError


def test_a_port_in_use_is_an_error_that_names_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SurroundingsError, match=rf"port {port} is in use by another program; choose another, for example --port \d+"):
            serve(tmp_path, port)


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_number_that_is_no_port_is_an_error(tmp_path: Path, port: int) -> None:
    with pytest.raises(SurroundingsError, match="--port takes a number"):
        serve(tmp_path, port)


def test_nothing_leaves_the_machine_and_nobody_else_comes_in() -> None:
    shipped = settings()
    assert shipped["server.address"] == "127.0.0.1"
    assert shipped["browser.gatherUsageStats"] is False
    assert shipped["server.showEmailPrompt"] is False
    assert shipped["server.enableXsrfProtection"] is True
    assert shipped["server.enableCORS"] is True
    assert shipped["server.enableStaticServing"] is False
    assert set(shipped["server.allowedHosts"]) == {"localhost", "127.0.0.1"}


def test_streamlit_knows_every_setting_and_lets_the_launcher_set_it() -> None:
    from streamlit import config

    for name in settings():
        option = config._config_options_template.get(name)
        assert option is not None, name
        assert not option.sensitive, name


def test_every_surface_is_neutral_grey() -> None:
    surfaces = {name: value for name, value in settings().items() if name.endswith("ackgroundColor")}
    assert len(surfaces) == 8
    for name, colour in surfaces.items():
        assert colour[1:3] == colour[3:5] == colour[5:7], name


def test_neither_torch_nor_ray_is_imported_by_the_gallery() -> None:
    pages = [str(path) for path in sorted((Path(__file__).parents[2] / "gallery" / "app_pages").glob("*.py"))]
    script = (
        "import sys, ast\n"
        "import gallery.server, gallery.run_view, gallery.sidebar, gallery.opened, gallery.charts, gallery.links\n"
        "import gallery.components.grid, gallery.components.sweep_list, gallery.components.viewer, gallery.components.facts\n"
        f"for path in {pages!r}:\n"
        "    for node in ast.walk(ast.parse(open(path).read())):\n"
        "        if isinstance(node, ast.ImportFrom): __import__(node.module)\n"
        "        if isinstance(node, ast.Import): [__import__(name.name) for name in node.names]\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'torch', 'ray', 'torchvision'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_no_file_of_the_gallery_hides_a_package() -> None:
    folder = Path(__file__).parents[2] / "gallery"
    assert not {path.stem for path in folder.iterdir()} & {"db", "sweep", "pages", "tests", "sqlalchemy", "altair"}
