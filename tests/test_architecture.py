"""Who may know whom (docs/design.md, section 3), and how large things may grow: read from the source, and from what is imported."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOUSES = ("sweep", "db", "gallery")

# Room -> what it may know of ours; a name stands for everything in it. Each module belongs to the longest name that fits.
# `sweep` alone is the version number.
MAY_KNOW = {
    "sweep.errors": set(),
    "sweep.combination": {"sweep.transfer.controls"},
    "sweep.keys": {"sweep.combination"},
    "sweep.events": {"sweep.transfer.curve"},
    "sweep.yaml_file": {"sweep.errors"},
    "sweep.transfer": {"sweep.transfer", "sweep.errors"},
    "sweep.samples": {"sweep.samples", "sweep.errors"},
    "sweep.parameters": {
        "sweep.combination",
        "sweep.yaml_file",
        "sweep.transfer.presets",
        "sweep.transfer.recipe",
        "sweep.transfer.controls",
        "sweep.errors",
    },
    "sweep.ranges": {"sweep.combination", "sweep.yaml_file", "sweep.errors"},
    "sweep.axes": {"sweep.parameters", "sweep.ranges", "sweep.yaml_file", "sweep.errors"},
    "sweep.search": set(),
    "sweep.conditions": {"sweep.axes", "sweep.parameters", "sweep.pictures", "sweep.styles", "sweep.yaml_file", "sweep.errors"},
    "sweep.space": {"sweep.axes", "sweep.conditions", "sweep.search", "sweep.yaml_file", "sweep.transfer.recipe"},
    "sweep.pictures": {"sweep.yaml_file", "sweep.errors"},
    "sweep.styles": {"sweep.pictures", "sweep.combination", "sweep.yaml_file", "sweep.errors"},
    "sweep.spec_file": {"sweep.parameters", "sweep.space", "sweep.yaml_file", "sweep.errors"},
    "sweep.schema": {"sweep.conditions", "sweep.parameters", "sweep.ranges", "sweep.spec_file", "sweep.combination"},
    "sweep.spec": {
        "sweep.spec_file",
        "sweep.axes",
        "sweep.conditions",
        "sweep.parameters",
        "sweep.space",
        "sweep.pictures",
        "sweep.styles",
        "sweep.spec_checks",
        "sweep.combination",
        "sweep.yaml_file",
        "sweep.errors",
    },
    "sweep.spec_checks": {
        "sweep.conditions",
        "sweep.space",
        "sweep.combination",
        "sweep.yaml_file",
        "sweep.transfer.presets",
        "sweep.transfer.recipe",
        "sweep.errors",
    },
    "sweep.speed": set(),
    "sweep.plan": {"db", "sweep.keys", "sweep.spec", "sweep.speed", "sweep.combination", "sweep.events", "sweep.transfer", "sweep.errors"},
    "sweep.recipe": {"db", "sweep.combination"},
    "sweep.inputs": {"db", "sweep.transfer.images", "sweep.errors"},
    "sweep.signing": {"db", "sweep.transfer.images", "sweep.transfer.signatures", "sweep.errors"},
    "sweep.masks": {"sweep.inputs", "sweep.spec", "sweep.styles", "sweep.transfer.images", "sweep.errors"},
    "sweep.request": {"sweep.transfer", "sweep.combination"},
    "sweep.process": {"sweep.request", "sweep.transfer", "sweep.errors"},
    "sweep.problem": {"sweep.request", "sweep.transfer", "sweep.combination"},
    "sweep.pacing": {"sweep.transfer.companion"},
    "sweep.worker": {"sweep.pacing", "sweep.process", "sweep.problem", "sweep.request", "sweep.transfer", "sweep.events", "sweep.errors"},
    "sweep.places": set(),
    "sweep.in_process": {"sweep.worker", "sweep.request", "sweep.places", "sweep.events", "sweep.errors"},
    "sweep.cluster_connection": {"sweep.errors"},
    "sweep.cluster_nodes": {"sweep.cluster_connection", "sweep.places", "sweep.errors"},
    "sweep.cluster_task": {"sweep.cluster_check", "sweep.worker", "sweep.request", "sweep.transfer", "sweep.events", "sweep.errors"},
    "sweep.cluster": {
        *(
            "sweep.cluster_check",
            "sweep.cluster_connection",
            "sweep.cluster_nodes",
            "sweep.cluster_task",
            "sweep.worker",
            "sweep.request",
            "sweep.places",
            "sweep.events",
            "sweep.transfer",
            "sweep.errors",
        ),
    },
    "sweep.tasks": {"sweep.combination", "db", "sweep.places", "sweep.recipe", "sweep.request", "sweep.transfer"},
    "sweep.in_flight": {"db", "sweep.places", "sweep.events"},
    "sweep.failures": {"sweep.events"},
    "sweep.amounts": set(),
    "sweep.typed": set(),
    "sweep.standing": {"db", "sweep.amounts", "sweep.combination", "sweep.transfer"},
    "sweep.backend": {"db", "sweep.in_flight", "sweep.places", "sweep.request", "sweep.events"},
    "sweep.driver": {
        *(
            "db",
            "sweep.backend",
            "sweep.tasks",
            "sweep.in_flight",
            "sweep.failures",
            "sweep.places",
            "sweep.events",
            "sweep.request",
            "sweep.errors",
        ),
    },
    "sweep.calibrate": {
        "sweep.worker",
        "sweep.process",
        "sweep.request",
        "sweep.combination",
        "sweep.events",
        "sweep.speed",
        "sweep.transfer",
        "sweep.errors",
    },
    "sweep.calibrate_together": {"sweep.calibrate", "sweep.speed", "sweep.errors"},
    "sweep.calibrate_samples": {
        "sweep.calibrate",
        "sweep.inputs",
        "sweep.spec",
        "sweep.samples",
        "sweep.combination",
        "sweep.speed",
        "sweep.transfer",
        "sweep.errors",
    },
    "sweep.cluster_calibrate": {"sweep.calibrate", "sweep.calibrate_samples", "sweep.speed", "sweep.transfer", "sweep.errors"},
    "sweep.cluster_check": {"sweep.combination", "sweep.errors"},
    "sweep.jobs": {"sweep.errors"},
    "sweep.tunnel": {"sweep.errors"},
    "sweep.upload": {"sweep.spec", "sweep.yaml_file", "sweep.errors"},
    "sweep.submitted": {"sweep.errors"},
    "sweep.driver_inputs": {"db", "sweep.inputs", "sweep.transfer", "sweep.errors"},
    "sweep.remote": {"sweep.errors"},
    "sweep.pull": {"db", "sweep.remote", "sweep.errors"},
    "sweep.cli": {"sweep", "db", "gallery"},
    "db": {"db", "sweep.combination", "sweep.events", "sweep.speed", "sweep.transfer.yardstick_names", "sweep.errors"},
    "gallery": {
        "gallery",
        "db",
        "sweep.combination",
        "sweep.spec",
        "sweep.yaml_file",
        "sweep.transfer.controls",
        "sweep.transfer.images",
        "sweep.transfer.signatures",
        "sweep.transfer.yardstick_names",
        "sweep.amounts",
        "sweep.typed",
        "sweep.failures",
        "sweep.standing",
        "sweep.errors",
    },
}

# Package of others -> the only rooms that may import it.
ONLY_IN = {
    "ray": {
        *("sweep.cluster", "sweep.cluster_connection", "sweep.cluster_nodes", "sweep.cluster_task"),
        *("sweep.cluster_calibrate", "sweep.cluster_check", "sweep.jobs"),
    },
    "psutil": {"sweep.cluster_connection"},
    "requests": {"sweep.jobs"},  # whose errors Ray's client lets out
    "torch": {"sweep.transfer", "sweep.worker", "sweep.process"},
    "torchvision": {"sweep.transfer"},
    "h5py": {"sweep.transfer"},
    "safetensors": {"sweep.transfer"},
    "alembic": {"db"},
    "streamlit": {"gallery"},
    "altair": {"gallery"},
    "pydantic": {"sweep.spec_file"},
    "typer": {"sweep.cli"},
    "yaml": {"sweep.yaml_file", "sweep.cli.taking", "gallery.export.spec"},
}
NEVER = {"pickle", "marshal", "shelve", "eval", "exec"}

# A call that lets in what strangers wrote -> the modules that may make it. gallery.export.pictures opens the workspace's own
# pictures, sweep.samples those of an installed package.
CALLS = {
    ("Image", "open"): {"sweep.transfer.images", "gallery.export.pictures", "sweep.samples.photographs"},
    ("torch", "load"): {"sweep.transfer.fetching"},
    ("h5py", "File"): {"sweep.transfer.fetching"},
    ("yaml", "load"): set(),
    ("yaml", "safe_load"): {"sweep.cli.taking"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {module_name(path): path for house in HOUSES for path in sorted((ROOT / house).rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in PATHS.items()}
PACKAGES = {name.rpartition(".")[0] for name in PATHS} | set(HOUSES)


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported, at the top or inside a function; `from sweep import worker` is sweep.worker."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module is not None, "imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in PATHS or inner in PACKAGES else node.module


def within(name: str, rooms: set[str]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def room_of(module: str) -> str | None:
    return max((room for room in MAY_KNOW if within(module, {room})), key=len, default=None)


@pytest.mark.parametrize("module", [name for name in PATHS if name != "sweep"])
def test_a_module_knows_only_whom_its_room_may_know(module: str) -> None:
    room = room_of(module)
    assert room is not None, f"{module} has no room: say in MAY_KNOW and in docs/design.md what it may know"
    ours = {name for name in imported(TREES[module]) if name.split(".")[0] in HOUSES and name != "sweep"}
    assert {name for name in ours if not within(name, MAY_KNOW[room] | {room})} == set()


@pytest.mark.parametrize("module", list(PATHS))
def test_a_module_imports_only_the_packages_that_its_room_may(module: str) -> None:
    theirs = {name.split(".")[0] for name in imported(TREES[module])}
    assert {name for name in theirs if name in ONLY_IN and not within(module, ONLY_IN[name])} == set()
    assert theirs & NEVER == set()


def test_the_exports_know_no_streamlit() -> None:
    exporting = [tree for name, tree in TREES.items() if name.startswith("gallery.export")]
    assert exporting
    assert not [name for tree in exporting for name in imported(tree) if name.startswith("streamlit")]


def test_files_of_strangers_come_in_at_known_doors() -> None:
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                call = (node.func.value.id, node.func.attr)
                assert module in CALLS.get(call, {module}), f"{module}, line {node.lineno}: {'.'.join(call)}"
                if call == ("torch", "load"):
                    assert any(word.arg == "weights_only" and ast.literal_eval(word.value) is True for word in node.keywords)


# A heavy package, and who must come up without it.
WITHOUT = {
    "import sweep.cli.main": {"torch", "ray", "streamlit", "sqlalchemy", "numpy"},
    "import pkgutil, importlib, db; [importlib.import_module(m.name) for m in pkgutil.iter_modules(db.__path__, 'db.')]": {
        "torch", "ray", "streamlit", "sweep.worker", "sweep.process", "sweep.driver", "sweep.transfer.stylize",
    },
    "import gallery.reading, gallery.server, gallery.charts, gallery.filters, gallery.export.bundle, gallery.export.sheet": {
        "torch", "ray", "sweep.worker", "sweep.process", "sweep.driver", "sweep.cluster", "sweep.cli",
    },
    "import sweep.cli.planning": {"torch", "ray", "streamlit"},
    "import sweep.worker": {"ray", "sqlalchemy", "db", "streamlit"},
    "import sweep.driver, sweep.driver_inputs, sweep.in_process": {"ray", "streamlit"},
    "import sweep.spec, sweep.plan": {"torch", "ray", "streamlit"},
    "import sweep.cluster": {"sqlalchemy", "db", "streamlit"},
    "import sweep.driver, sweep.driver_inputs, sweep.cluster, sweep.cluster_task": {"torch", "streamlit"},
    "import sweep.pull, sweep.cli.pulling": {"torch", "ray", "streamlit"},
    "import sweep.jobs, sweep.upload, sweep.tunnel": {"torch", "sqlalchemy", "db", "streamlit"},
    "import sweep.submitted": {"torch", "ray", "numpy", "sqlalchemy", "db", "streamlit", "pydantic"},
}  # fmt: skip


@pytest.mark.parametrize("start", list(WITHOUT))
def test_what_is_imported_stays_light(start: str) -> None:
    said = subprocess.check_output([sys.executable, "-c", f"{start}\nimport sys, json; print(json.dumps(list(sys.modules)))"], text=True)
    assert set(json.loads(said)) & WITHOUT[start] == set()


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"]])
def test_help_starts_without_anything_heavy(words: list[str]) -> None:
    script = (
        f"import sys; sys.argv = ['stylesweep', *{words}]\n"
        "from sweep.cli.main import main\n"
        "try:\n    main()\nfinally:\n    print('\\n' + ' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = set(done.stdout.splitlines()[-1].split())
    assert "typer" in modules
    assert modules & {"torch", "ray", "streamlit", "sqlalchemy", "numpy", "PIL", "db"} == set()


@pytest.mark.parametrize("module", list(PATHS))
def test_a_module_is_at_most_350_lines_and_a_function_60(module: str) -> None:
    assert len(PATHS[module].read_text("utf-8").splitlines()) <= 350
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and PATHS[module].parent.name != "versions":
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, f"{node.name} in line {node.lineno}"


@pytest.mark.parametrize("script", sorted((ROOT / "gallery" / "components").glob("*.js")), ids=lambda path: path.name)
def test_a_script_is_at_most_350_lines(script: Path) -> None:
    assert len(script.read_text("utf-8").splitlines()) <= 350


def test_no_file_shadows_a_house_or_says_nothing() -> None:
    names = {str(path.relative_to(ROOT)) for path in PATHS.values()}
    assert not names & {"gallery/db.py", "gallery/sweep.py", "gallery/gallery.py"}  # Streamlit puts gallery/ first on the path
    assert not [name for name in names if Path(name).stem in ("utils", "util", "helpers", "helper", "common", "misc", "tools")]


def test_no_test_folder_is_a_package() -> None:
    """They are imported by path: a tests/sweep/__init__.py would stand in the way of `sweep` itself."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_no_two_tests_have_one_name() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


# Put together here, so that this file does not hold them itself.
NOWHERE = ["/wo" + "rk/", "/ro" + "ot/", "/tm" + "p/bash", "/home/" + "user", "py" + "pi.org", "python" + "hosted", "download.py" + "torch"]


def test_no_file_speaks_of_a_place_that_only_a_developer_has() -> None:
    listed = subprocess.check_output(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True)
    found = []
    for name in listed.splitlines():
        path = ROOT / name
        if path.is_file() and b"\0" not in (data := path.read_bytes())[:8192]:
            found += [f"{name}: {word}" for word in NOWHERE if word.encode() in data]
    assert found == []
