"""Reading a YAML file that a stranger may have written: no code, no aliases, no duplicate keys, bounded size."""

import difflib
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import ReaderError

from sweep.errors import SpecError

MAX_BYTES = 1_000_000
MAX_DEPTH = 12
MAX_VALUES = 100_000

Key = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads numbers as YAML 1.2 and every reader of a sweep do: 1e5 is one, 010 is ten, 1:30 is none; dates stay text."""

    def whole_number(self, node: yaml.ScalarNode) -> int:
        """Zeros in front make no octal number; 0x10 and 0b11 are what they say. Raises ValueError."""
        text = node.value.replace("_", "")
        return int(text, 0 if text.lstrip("-+")[1:2] in ("x", "o", "b") else 10)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole_number)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in ("timestamp", "float", "int")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*\.[\d_]*([eE][-+]?\d+)?|\d[\d_]*[eE][-+]?\d+|\.\d[\d_]*([eE][-+]?\d+)?|\.(inf|Inf|INF|nan|NaN|NAN))$"),
    list("-+0123456789."),
)

_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(\d[\d_]*|0x[\da-fA-F_]+|0o[0-7_]+|0b[01_]+)$"), list("-+0123456789")
)

_SCALARS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null")}
_PLAIN: dict[type[yaml.Node], set[str]] = {
    yaml.ScalarNode: _SCALARS,
    yaml.SequenceNode: {"tag:yaml.org,2002:seq"},
    yaml.MappingNode: {"tag:yaml.org,2002:map"},
}


class YamlFile:
    """A YAML mapping with the line of each of its values."""

    def __init__(self, text: str, name: str) -> None:
        """Parse; `name` is how messages call the file.

        Raises:
            SpecError: it is no YAML mapping, or uses what is refused.
        """
        self.name = name
        self.text = text
        self.lines: dict[Key, int] = {}
        self._seen: set[int] = set()
        if len(text) > MAX_BYTES:
            raise SpecError(f"{name} is larger than {MAX_BYTES:,} characters; a sweep's file is a page or two.")
        try:
            loader = _Loader(text)
            node = loader.get_single_node()
        except (yaml.YAMLError, RecursionError) as error:
            raise SpecError(f"{name} is not valid YAML: {_said(error, text)}.") from error
        if not isinstance(node, yaml.MappingNode):
            raise SpecError(f"{name} must be a YAML mapping that begins like `name: my-sweep`.")
        self._loader = loader
        self.data: dict[str, Any] = self._value(node, ())

    def where(self, key: Key) -> str:
        """'sweep.yaml, line 7, parameters.beta': the file, the line if known, and the key."""
        known = key
        while known and known not in self.lines:
            known = known[:-1]
        line = f", line {self.lines[known]}" if known in self.lines else ""
        return f"{self.name}{line}" + (f", {dotted(key)}" if key else "")

    def _value(self, node: yaml.Node, key: Key) -> Any:
        if id(node) in self._seen:  # its line is that of the anchor; `where` tells the line of what holds the alias
            raise SpecError(f"{self.where(key)}: anchors and aliases (& and *) are not used here; write the value out.")
        self.lines[key] = node.start_mark.line + 1
        self._seen.add(id(node))
        if len(self._seen) > MAX_VALUES or len(key) > MAX_DEPTH:
            raise SpecError(f"{self.where(key)}: the file holds over {MAX_VALUES:,} values, or nests over {MAX_DEPTH} deep.")
        if node.tag not in _PLAIN[type(node)]:
            raise SpecError(
                f"{self.where(key)}: the YAML tag {node.tag!r} is refused; only plain text, numbers, lists and mappings are read."
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(child, (*key, index)) for index, child in enumerate(node.value)]
        try:
            return self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError) as error:  # PyYAML looks `!!bool maybe` and `!!int ''` up in vain
            kind = node.tag.rpartition(":")[2]
            raise SpecError(f"{self.where(key)}: {short(node.value)} cannot be read as a YAML {kind}; write it plainly.") from error

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name_node, child in node.value:
            if not isinstance(name_node, yaml.ScalarNode):
                raise SpecError(f"{self.where(key)}: a key must be plain text.")
            name = str(name_node.value)
            if name in found:
                raise SpecError(f"{self.name}, line {name_node.start_mark.line + 1}: the key {short(name)} is given twice; keep one.")
            found[name] = self._value(child, (*key, name))
        return found


def read_yaml(path: Path) -> YamlFile:
    """Read and parse a file.

    Raises:
        SpecError: it cannot be read, is no UTF-8 text, or is refused as `YamlFile` says.
    """
    try:
        with path.open("rb") as file:  # bounded by what is read, not by the size that a device or a pipe tells
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise SpecError(f"{path} is larger than {MAX_BYTES:,} bytes; a sweep's file is a page or two.")
        return YamlFile(data.decode("utf-8-sig").replace("\r\n", "\n"), str(path))
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not UTF-8 text; a sweep is described by a YAML file, as in examples/demo.yaml.") from error
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror}.") from error


def is_number(value: Any) -> bool:
    """Whether it is a finite int or float; True and False are none, nor is a whole number too large for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def dotted(key: Key) -> str:
    """('parameters', 'beta', 0) -> 'parameters.beta[0]'."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in key).removeprefix(".")


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the name that it is close to, if it is to any."""
    near = difflib.get_close_matches(name, list(allowed), 1)
    return f"; did you mean `{near[0]}`?" if near else "."


def short(value: Any) -> str:
    """A value as a message shows it: quoted, escaped, and not longer than a line."""
    try:
        text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    except ValueError:  # Python refuses to write out a whole number of over 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 80 else text[:77] + "..."


def short_path(path: Path) -> str:
    """As `short`, but of a long path the end, which says what file is meant."""
    text = str(path)
    return short(text if len(text) <= 76 else f"...{text[-73:]}")


def _shown(name: str) -> str:
    return name if name.isprintable() and 0 < len(name) <= 60 else short(name)


_HINTS = {
    "scanning an alias": "; a pattern that begins with * needs quotes, as in '*.jpg'",
    "'\\t'": "; indent with spaces, not with tabs",
    "mapping values are not allowed": "; text with a colon and a space in it needs quotes",
}
"""What the commonest mistakes need, by PyYAML's words for them."""


def _said(error: BaseException, text: str) -> str:
    if isinstance(error, ReaderError):
        return f"line {text.count(chr(10), 0, error.position) + 1}: the character U+{ord(text[error.position]):04X} is not allowed"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        hint = next((hint for part, hint in _HINTS.items() if part in f"{error.context} {error.problem}"), "")
        return f"line {error.problem_mark.line + 1}: {error.problem or error.context}{hint}"
    return "it nests too deep" if isinstance(error, RecursionError) else str(error).splitlines()[0]
