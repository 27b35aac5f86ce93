"""What a sweep needs of this machine, packed to be sent to a cluster's head: its file, pictures, masks and weights, by hash.

The folders keep their places relative to one another, so that the file means the same there, and its runs have the same keys.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.errors import InputError, SurroundingsError
from sweep.spec import SweepSpec, load_spec
from sweep.yaml_file import read_yaml

PIECE = 32 * 2**20
"""Bytes of a file that travel as one piece."""
PACKAGE = 2 * PIECE
"""Bytes of one package: the head holds it in memory for some minutes, and a broken connection costs one at most."""

MANIFEST = "manifest.json"
PIECES = "pieces"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A file that goes up. name: its place below the folder that all of them share, with slashes."""

    name: str
    path: Path
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Upload:
    """Everything that a sweep needs there. digest: of all names and contents, so that one upload is one folder there."""

    sweep: str
    spec: str
    files: tuple[Sent, ...]
    digest: str

    @property
    def size(self) -> int:
        """Bytes of all files, equal ones once."""
        return sum({file.sha256: file.size for file in self.files}.values())

    def everything(self) -> dict[str, int]:
        """As if the head had nothing: from which byte each content is lacking."""
        return {file.sha256: 0 for file in self.files}

    def packages(self, lacking: Mapping[str, int], folder: Path) -> Iterator[Path]:
        """Write what the head lacks as folders to send, one after another in the same place.

        lacking: for each content, how many of its bytes are there already.

        Raises:
            InputError: a file changed since it was hashed.
        """
        package = _Package(self, folder)
        for file in {file.sha256: file for file in self.files}.values():
            for offset in range(lacking.get(file.sha256, file.size), file.size, PIECE):
                if package.size + PIECE > PACKAGE:
                    yield package.path
                    package = _Package(self, folder)
                package.add(file, offset)
        yield package.path

    def manifest(self) -> str:
        """What the head must know of it."""
        files = {file.name: [file.sha256, file.size] for file in self.files}
        return json.dumps({"sweep": self.sweep, "spec": self.spec, "digest": self.digest, "files": files})


def read_upload(path: Path) -> tuple[SweepSpec, Upload]:
    """Read a sweep's file and hash all that it names.

    Raises:
        SpecError: the file is wrong.
        InputError: it names a place that means nothing on another machine, or what it names cannot be read.
    """
    path = Path(os.path.relpath(path))  # then what is absolute below was written so
    spec = load_spec(path)
    pictures = spec.picture_paths()
    for one in [*pictures, *(Path(text).expanduser() for text in _weights(read_yaml(path).data))]:
        if one.is_absolute():
            raise InputError(
                f"{path}: {one} is an absolute path, or begins with ~, and would mean another place on the head. "
                "Write it relative to the sweep's file; a link in its folder will do."
            )
    weights = [file for _, file in spec.network_files() if file is not None]
    places = [Path(os.path.abspath(one)) for one in (path, *pictures, *weights)]  # noqa: PTH100  # resolve() would follow links
    root = Path(os.path.commonpath([place.parent for place in places]))
    files = tuple(_hashed(place, place.relative_to(root).as_posix()) for place in sorted(set(places)))
    told = json.dumps([[file.name, file.sha256] for file in files])
    digest = hashlib.sha256(told.encode()).hexdigest()
    return spec, Upload(sweep=spec.name, spec=places[0].relative_to(root).as_posix(), files=files, digest=digest)


def _weights(written: dict[str, Any]) -> list[str]:
    """Every path of weights in a file that has been read and found right."""
    rules = written.get("when") or []
    then = [rule["then"] for rule in (rules if isinstance(rules, list) else [rules])]
    return [text for one in (written.get("settings"), written.get("parameters"), *then) for text in _texts((one or {}).get("weights"))]


def _texts(value: object) -> list[str]:
    """Every text in a value of the file: 'a', ['a', 'b'], {value: a}."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value] if isinstance(value, str) else [text for one in inside for text in _texts(one)]


class _Package:
    """A folder that is being filled."""

    def __init__(self, upload: Upload, folder: Path) -> None:
        self.path = folder / "package"
        self.size = 0
        pieces = self.path / PIECES
        try:
            pieces.mkdir(parents=True, exist_ok=True)
            for old in pieces.iterdir():
                old.unlink()
            (self.path / MANIFEST).write_text(upload.manifest())
        except OSError as error:
            raise SurroundingsError(f"{error.filename} cannot be written ({error.strerror}); an upload needs some room there.") from error

    def add(self, file: Sent, offset: int) -> None:
        try:
            with file.path.open("rb") as opened:
                opened.seek(offset)
                data = opened.read(PIECE)
        except OSError as error:
            raise InputError(f"{file.path} cannot be read: {error.strerror}.") from error
        if len(data) != min(PIECE, file.size - offset):
            raise InputError(f"{file.path} changed while it was being sent; run the same command again.")
        (self.path / PIECES / f"{file.sha256}.{offset}").write_bytes(data)
        self.size += len(data)


def _hashed(path: Path, name: str) -> Sent:
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return Sent(name=name, path=path, sha256=sha256, size=file.tell())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
