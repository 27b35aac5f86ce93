"""YAML of strangers: no code, no aliases, no surprises; every refusal is one sentence with file, line and key."""

import os
import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import SpecError
from sweep.yaml_file import MAX_BYTES, YamlFile, dotted, read_yaml, short


def refusal(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        YamlFile(text, "s.yaml")
    message = str(caught.value)
    assert message.startswith("s.yaml")
    assert "\n" not in message
    assert len(message) < 500
    return message


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e5", 1e5), ("1E5", 1e5), ("1e-3", 1e-3), ("-2.5e+3", -2500.0), ("1_000.5", 1000.5), ("1.", 1.0), (".5", 0.5), ("3", 3),
        ("1_000", 1000), ("0x10", 16), ("true", True), ("no", False), ("~", None), ("'1e5'", "1e5"), ("2026-07-17", "2026-07-17"),
        ("010", 10), ("-007", -7), ("0o17", 15), ("0b11", 3), ("1:30", "1:30"), ("0x", "0x"),
        ("vgg19", "vgg19"), ("1e", "1e"), ("e5", "e5"), ("-.inf", -float("inf")),
    ],
)  # fmt: skip
def test_plain_values_mean_what_they_look_like(written: str, meant: object) -> None:
    found = YamlFile(f"key: {written}\n", "s.yaml").data["key"]
    assert found == meant
    assert type(found) is type(meant)


def test_each_value_knows_its_line() -> None:
    file = YamlFile("name: x\nparameters:\n  beta:\n    values:\n      - 1\n      - 2\n", "s.yaml")
    assert file.where(("parameters", "beta", "values", 1)) == "s.yaml, line 6, parameters.beta.values[1]"
    assert file.where(("parameters", "beta")) == "s.yaml, line 4, parameters.beta"
    assert file.where(("parameters", "gone", "deeper")) == "s.yaml, line 3, parameters.gone.deeper"
    assert dotted(("style", 0, "a.jpg")) == "style[0].a.jpg"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: x\nkey: !!python/object/apply:os.system ['touch {marker}']\n", 2),
        ("name: x\n\nkey: !!python/object/new:os.system ['touch {marker}']\n", 3),
        ("key: !!python/name:os.system\n", 1),
        ("a: 1\nkey: !custom {b: 1}\n", 2),
        ("key: !!binary aGVsbG8=\n", 1),
        ("key: !!set {a, b}\n", 1),
        ("key: !!timestamp 2026-01-01\n", 1),
        ("key: !!map text\n", 1),
        ("key: !!seq text\n", 1),
        ("key: !!str [a]\n", 1),
        ("key: !!int {a: 1}\n", 1),
    ],
)
def test_yaml_tags_are_refused_and_run_nothing(tmp_path: Path, text: str, line: int) -> None:
    marker = tmp_path / "ran"
    message = refusal(text.replace("{marker}", str(marker)))
    assert f"line {line}" in message
    assert "key" in message
    assert "tag" in message
    assert not marker.exists()


@pytest.mark.parametrize(
    "tagged", ["!!bool maybe", "!!int ''", "!!float ''", "!!int x", "!!float 1.2.3", "!!int 0b", "!!int 0x", "!!float ':'"]
)
def test_a_value_that_is_not_what_its_tag_says_is_refused_with_its_line(tagged: str) -> None:
    message = refusal(f"a: 1\nkey: {tagged}\n")
    assert "line 2, key" in message
    assert "cannot be read" in message


def test_aliases_are_refused_wherever_they_stand() -> None:
    assert "line 3, c[0]" in refusal("a: &x [1]\nb: 2\nc: [*x]\n")
    for text in ("a: &x 1\nb: *x\n", "a: &x {b: *x}\n", "a: &x [*x]\n", "a: &x {b: 1}\nc:\n  <<: *x\n"):
        assert re.search(r"anchors and aliases|recursive|not valid YAML", refusal(text))


def test_a_billion_laughs_are_refused_at_once() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    began = time.process_time()
    message = refusal("\n".join(lines))
    assert time.process_time() - began < 1
    assert "line 2, a1[0]" in message
    assert "aliases" in message


def test_a_key_that_is_given_twice_is_refused_with_the_line_of_the_second() -> None:
    message = refusal("name: x\nparameters:\n  beta: 1\n  beta: 2\n")
    assert "line 4" in message
    assert "'beta' is given twice" in message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: [1, 2\nb: 1\n", 2),
        ("a: b: c\n", 1),
        ("name: x\n\tbeta: 1\n", 2),
        ("name: 'x\n", 2),
        ("a: *gone\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ("%\n", 1),
    ],
)
def test_broken_yaml_is_refused_with_its_line(text: str, line: int) -> None:
    assert f"is not valid YAML: line {line}" in refusal(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("content: *.jpg\n", "a pattern that begins with * needs quotes, as in '*.jpg'."),
        ("name: x\n\tbeta: 1\n", "indent with spaces, not with tabs."),
        ("name: holidays: 2026\n", "text with a colon and a space in it needs quotes."),
    ],
)
def test_the_commonest_mistakes_are_told_with_what_they_need(text: str, hint: str) -> None:
    assert refusal(text).endswith(hint)


@pytest.mark.parametrize(
    ("text", "line", "code"), [("name: a\x00b\n", 1, "U+0000"), ("a: 1\nb: \x07\n", 2, "U+0007"), ("a: 1\n\nb: \x1b[2J\n", 3, "U+001B")]
)
def test_control_characters_are_refused_with_their_line(text: str, line: int, code: str) -> None:
    message = refusal(text)
    assert f"line {line}" in message
    assert code in message


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "- a\n- b\n", "just text", "42", "null", "[]", "---\n...\n"])
def test_a_file_that_is_no_mapping_is_refused_with_an_example(text: str) -> None:
    assert "must be a YAML mapping that begins like `name: my-sweep`" in refusal(text)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{a: " * 5000, "a:\n" + "".join(" " * n + "b:\n" for n in range(1, 600)), "- " * 3000 + "a"]
)
def test_deep_nesting_is_refused_quickly(text: str) -> None:
    began = time.process_time()
    refusal(text)
    assert time.process_time() - began < 5


def test_nesting_beyond_what_a_sweep_needs_is_refused_with_the_key() -> None:
    message = refusal("a: " + "[" * 20 + "]" * 20)
    assert "line 1, a[0][0]" in message
    assert "deep" in message


def test_too_many_values_are_refused() -> None:
    assert "100,000" in refusal("a: [" + "1," * 100_001 + "]")


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(10_000_000_000)  # sparse
    began = time.process_time()
    with pytest.raises(SpecError, match=r"large\.yaml is larger than 1,000,000 bytes"):
        read_yaml(path)
    assert time.process_time() - began < 1
    with pytest.raises(SpecError, match="larger than"):
        YamlFile("#" * (MAX_BYTES + 1), "s.yaml")


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"name: caf\xe9\n", bytes(range(256)), b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"])
def test_a_binary_file_is_refused_as_no_utf8_text(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(data)
    with pytest.raises(SpecError, match=r"s\.yaml is not UTF-8 text"):
        read_yaml(path)


def test_a_folder_a_missing_file_and_an_impossible_path_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)
    with pytest.raises(SpecError, match=r"gone\.yaml cannot be read: No such file"):
        read_yaml(tmp_path / "gone.yaml")
    with pytest.raises(SpecError, match="cannot be read: File name too long"):
        read_yaml(tmp_path / ("x" * 300))
    (tmp_path / "file").touch()
    with pytest.raises(SpecError, match="cannot be read: Not a directory"):
        read_yaml(tmp_path / "file" / "s.yaml")


def test_an_endless_device_is_refused_and_a_pipe_is_read() -> None:
    with pytest.raises(SpecError, match="larger than"):
        read_yaml(Path("/dev/zero"))
    reading, writing = os.pipe()
    os.write(writing, b"name: x\n")
    os.close(writing)
    assert read_yaml(Path(f"/dev/fd/{reading}")).data == {"name": "x"}
    os.close(reading)


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\r\nstyle: y\r\n")
    assert read_yaml(path).data == {"name": "x", "style": "y"}


def test_messages_show_keys_and_values_on_one_line_without_control_characters() -> None:
    file = YamlFile('"a\\nb": 1\n', "s.yaml")
    assert file.where(("a\nb",)) == "s.yaml, line 1, 'a\\nb'"
    assert file.where(("k" * 500,)).endswith("...")
    assert short("\x1b[31mred") == "'\\x1b[31mred'"
    assert len(short("x" * 10_000)) == 80
    assert short(16**20_000) == "a number of thousands of digits"


plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["C"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz", min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abcdef_", min_size=1, max_size=5), plain_values, min_size=1, max_size=5))
def test_what_is_written_is_read_back(data: dict[str, object]) -> None:
    class NoAliases(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    try:
        read = YamlFile(yaml.dump(data, Dumper=NoAliases, allow_unicode=True), "s.yaml").data
    except SpecError as error:
        assert "deep" in str(error)
        return
    assert read == data


@given(st.text(max_size=300) | st.text("{}[]:,-&*!|>'\"%@`#?~ \n\tab1.e", max_size=120))
def test_any_text_is_a_mapping_or_a_spec_error(text: str) -> None:
    try:
        assert isinstance(YamlFile(text, "s.yaml").data, dict)
    except SpecError as error:
        assert "\n" not in str(error)
