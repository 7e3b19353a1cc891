"""Names, tags, image references, whole command lines and YAML files: a spec, or exit 2."""

import re
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.edge import outcome
from tests.fuzz.mutations import around, names, or_kinds, texts
from tests.fuzz.profile import examples
from utils.make_triton_image import parse_arguments
from utils.options.command_line import make_parser
from utils.options.config_file import Names, read_config
from utils.options.values import LARGEST_BATCH
from utils.repository import names as grammar

CHECKS = {
    "model name": grammar.check_model_name,
    "tag": grammar.check_tag,
    "repository": grammar.check_repository,
    "image": lambda text: grammar.check_image("--base-image", text),
}
OPTIONS = sorted(option for action in make_parser()._actions for option in action.option_strings)
OPTIONS.remove("--debug")  # it prints a traceback
PRINTING = {"-h", "--help", "--list-releases", "--print-config-schema", "--version"}
GOOD_LINE = ["model", "model", "-", "topics", "v1", "8"]
NUMBERS = st.sampled_from(
    ["0", "1", "8", "1024", "1025", "-1", "1.0", "٣", "1e3", " 1", "0x1", "9" * 5000]
) | st.builds(lambda zeros, digits: "0" * zeros + digits, st.integers(0, 40), st.integers(0, 10**30).map(str))
PLAIN = {"model": "model", "tokenizer": "model", "id2label": "-", "model_name": "topics", "max_batch_size": "8"}


@given(kind=st.sampled_from(sorted(CHECKS)), text=names())
@examples(150)
def test_a_name_is_used_unchanged_or_refused(kind, text):
    seen = outcome(lambda: CHECKS[kind](text), codes={2})
    assert seen.code == 2 or (seen.result == text and re.fullmatch(r"[!-~]+", text) and len(text) <= 600)


@st.composite
def command_lines(draw):
    """A valid command line after changes: arguments removed, duplicated or replaced, options anywhere."""
    argv = list(GOOD_LINE)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(argv)))
        value = draw(names() | NUMBERS | st.sampled_from([*GOOD_LINE, *OPTIONS, "--", "-", "", "--config", "@x", "~x"]))
        option = draw(st.sampled_from(OPTIONS))
        argv[at : at + draw(st.integers(0, 1))] = draw(
            st.sampled_from([[], [value], [value], [option], [option, value], [f"{option}={value}"]])
        )
    # A NUL cannot be in an argument; the bytes of any other come as surrogates from 0xdc80.
    return [re.sub("[\0\ud800-\udc7f\udd00-\udfff]", "\udcff", each) for each in argv]


@given(argv=command_lines())
@examples(100)
def test_a_command_line_gives_a_spec_or_exit_2_or_3(argv, folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    if PRINTING & {each.split("=")[0] for each in argv}:
        return  # they print, and end with 0: tests/unit
    seen = outcome(lambda: parse_arguments(argv), codes={2, 3})
    if seen.code == 0:
        [spec] = seen.result
        assert 1 <= spec.serving.max_batch_size <= LARGEST_BATCH
        assert 1 <= spec.source.sources.fetch_timeout <= 1_000_000
        numbers = (spec.source.options.get("top_k"), spec.target.max_length)
        assert all(number is None or 1 <= number <= 1_000_000 for number in numbers)


ODD_YAML = st.sampled_from([
    "[" * 5000, "{" * 5000, "[" * 400 + "]" * 400, "- " * 3000, "&a [*a]", "*missing", "!x y", "<<: *a", "!!set {a}",
    "!!python/object/apply:os.system [ls]", "? [a, b]\n: c", "? {a: b}\n: c", "'", '"', '"\\ud800"', '"\\0"', '"~\\0"',
    '"~\\ud800"', "|\n  a\n  b", ">-", "%YAML 9.9", "---", "...", "\t", "2001-01-01", "0o17", "1.10", "no", "null", "~",
    "!!binary aGk=", "{a: 1, a: 2}", "\x85", "\x07", "\u2028", "'a\n\n  b'", '"a\\nb"', "a: b: c", "@", "`", "1" * 5000,
])  # fmt: skip


@st.composite
def yaml_files(draw):
    """Lines of names and values, some of them damaged, as bytes."""
    known = [*(action.dest for action in make_parser()._actions), "builds", "defaults"]
    if draw(st.booleans()):
        lines = [f"{name}: {value}" for name, value in PLAIN.items()]
    else:
        lines = ["defaults:", "  tokenizer: model", "builds:", "- model: model", "  id2label: '-'", "- model: other"]
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(lines)))
        name, value = (
            draw(st.sampled_from(known) | texts(max_size=8)),
            draw(ODD_YAML | names() | NUMBERS | texts(max_size=30)),
        )
        line = draw(st.sampled_from([f"{name}: {value}", f"{name}:\n  {value}", f"{value}", f"? {value}", f"{name}:"]))
        lines[at : at + draw(st.integers(0, 1))] = [line]
    content = "\n".join(lines).encode(
        draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16"])), "surrogatepass"
    )
    return content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 9)) == 0 else content


@given(content=or_kinds(yaml_files() | yaml_files() | st.binary(max_size=300)), bare=st.booleans())
@examples(75)
def test_a_yaml_file_gives_a_spec_or_exit_2_or_3(content, bare, folder, monkeypatch):
    """`bare`: as before PyYAML is installed."""
    monkeypatch.chdir(folder.parent)
    file = Path("build.yaml")

    def judge():
        outcome(lambda: parse_arguments(["--config", str(file)]), codes={2, 3})
        return outcome(lambda: read_config(file, Names(known=frozenset(PLAIN))), codes={2})

    with monkeypatch.context() as patch:
        if bare:
            patch.setitem(sys.modules, "yaml", None)
        seen = around(file, content, judge)
    values = [] if seen.code else [seen.result.values, *(build.values for build in seen.result.builds)]
    assert all(isinstance(value, str) for each in values for value in each.values())
