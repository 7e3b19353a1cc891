"""The real scripts, as processes, in copies of the checkout that have the test's own environment."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from utils import ROOT
from utils.host.environments import FACTORY
from utils.repository.context import Context, write_context

# Importing one of these takes a second or more.
SLOW_LIBRARIES = {"torch", "transformers", "onnxruntime", "optimum", "clearml", "tritonclient"}
# What a checkout has and a copy of it does not need.
LEFT_OUT = shutil.ignore_patterns(".*", "build", "tests", "docs", "benchmarks", "__pycache__", "*_cache")
ENTRIES = ("make_triton_image.sh", "process_template.sh", "cleanup.sh", "serve.sh", "doctor.sh", "verify.sh")


def _shell_files():
    # nvidia: what a stand-in has of NVIDIA's own scripts, which are sourced and keep other rules.
    outside = re.compile(r"(^|/)(\.venv[^/]*|build|\.git|node_modules|nvidia)/")
    found = [path for path in ROOT.rglob("*.sh") if not outside.search(str(path.relative_to(ROOT)))]
    return sorted([*found, ROOT / ".ci" / "run", ROOT / "deploy/supervisor/bin/tritonserver"])


SHELL_FILES = _shell_files()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the checkout below a path with spaces; its .venv is the test's own, by links, and counts as ready."""
    copy = tmp_path_factory.mktemp("my projects") / "image factory"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT, symlinks=True)
    environment = dataclasses.replace(
        FACTORY, folder=copy / ".venv", requirements=tuple(copy / path.name for path in FACTORY.requirements)
    )
    environment.folder.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (environment.folder / name).symlink_to(Path(sys.prefix) / name)
    environment.stamp.write_text(environment.digest())
    return copy


@pytest.fixture
def run(checkout, tmp_path_factory):
    """`run(script, *arguments, cwd=...)`: the finished process. `python3` on PATH is the base of the test's Python."""
    tools = tmp_path_factory.mktemp("tools")
    (tools / "python3").symlink_to(sys._base_executable)
    rest = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TRITON_FACTORY_"))}

    path = f"{tools}{os.pathsep}{os.environ['PATH']}"

    def call(script, *arguments, cwd=None, timeout=60, env=()):
        return subprocess.run(
            [str(script if Path(script).is_absolute() else checkout / script), *map(str, arguments)],
            cwd=cwd or checkout,
            env={**rest, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **dict(env)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return call


@pytest.fixture
def context_file(make_pipeline, tmp_path):
    pipeline = make_pipeline(model_name="topics")
    context = Context(pipeline=pipeline, image="topics:v1", device="cpu", docker={}, oci_labels={})
    return write_context(context, tmp_path / "tree")


def refused(done, exit_code):
    """The refusal: one line on stderr, nothing on stdout."""
    assert (done.returncode, done.stdout) == (exit_code, ""), done
    assert done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_the_shell_files_are_found():
    assert {path.name for path in SHELL_FILES} >= {*ENTRIES, "run"}


@pytest.mark.parametrize("file", SHELL_FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
class TestEveryShellFile:
    def test_shellcheck_is_content(self, file):
        shellcheck = shutil.which("shellcheck")
        assert shellcheck, "shellcheck is not installed; .ci/run installs it"
        done = subprocess.run([shellcheck, str(file)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_it_can_be_run_and_stops_at_the_first_fault(self, file):
        assert os.access(file, os.X_OK)
        lines = file.read_text(encoding="utf-8").splitlines()
        assert lines[0] == "#!/usr/bin/env bash"
        assert "set -Eeuo pipefail" in lines

    def test_it_is_short(self, file):
        assert len(file.read_text(encoding="utf-8").splitlines()) < 100


@pytest.mark.parametrize("script", ENTRIES)
def test_help_is_on_stdout_with_an_example(run, script):
    done = run(script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(rf"usage: (\./)?{re.escape(script)} ", done.stdout)
    assert f"./{script} " in done.stdout.split("example:")[1]


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("make_triton_image.sh", [], "MODEL is missing"),
        ("make_triton_image.sh", ["m", "t"], "ID2LABEL is missing"),
        ("make_triton_image.sh", ["m", "t", "l", "Bad Name"], "MODEL_NAME 'Bad Name'"),
        ("verify.sh", ["registry.example.org/topics:v1"], "--key is missing"),
        ("make_triton_image.sh", ["m", "t", "l", "name", "v1", "0"], "MAX_BATCH_SIZE is '0'"),
        ("make_triton_image.sh", ["m", "t", "l", "--unknown"], "--unknown"),
        ("make_triton_image.sh", ["m", "t", "l", "a\nb"], "MODEL_NAME 'a\\nb'"),
        ("process_template.sh", [], "CONTEXT_JSON, OUTPUT_DIR"),
        ("process_template.sh", ["--unknown", "a", "b"], "--unknown"),
        ("cleanup.sh", ["--unknown"], "--unknown"),
        ("cleanup.sh", ["a", "b", "c"], "c"),
        ("cleanup.sh", ["no-such-build"], "'no-such-build'"),
        ("serve.sh", [], "MODEL_REPOSITORY"),
        ("serve.sh", [".", "--unknown"], "--unknown"),
        ("doctor.sh", ["--unknown"], "--unknown"),
        ("doctor.sh", ["--base-image", "Bad Name"], "--base-image 'Bad Name'"),
    ],
)
def test_a_usage_error_is_reported_before_slow_imports(run, script, arguments, message):
    done = run(script, *arguments, env={"PYTHONPROFILEIMPORTTIME": "1"})
    lines = done.stderr.splitlines(keepends=True)
    imported = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert "argparse" in imported, "imports were not recorded"
    assert not imported & SLOW_LIBRARIES
    done.stderr = "".join(line for line in lines if not line.startswith("import time:"))
    assert message in refused(done, 2)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_missing_source_has_its_own_exit_code_and_is_named(run, tiny_bert, position):
    sources = [tiny_bert, tiny_bert, tiny_bert / "config.json"]
    sources[position] = "./no such place"
    message = refused(run("make_triton_image.sh", *sources, "topics", "v1", "8", "--dry-run"), 3)
    assert "'./no such place'" in message
    assert ("MODEL ", "TOKENIZER ", "ID2LABEL ")[position] in message


def test_a_mistake_costs_no_installation(run, checkout, tmp_path):
    """Before the first set-up there is no environment, and a mistake must not be what makes one."""
    fresh = tmp_path / "fresh"
    shutil.copytree(checkout, fresh, symlinks=True, ignore=LEFT_OUT)
    script = fresh / "make_triton_image.sh"
    assert "MODEL_NAME" in refused(run(script, "m", "t", "l", "Bad Name", cwd=tmp_path), 2)
    assert "no such place" in refused(run(script, "./no such place", "t", "-", cwd=tmp_path), 3)
    done = run(script, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")
    assert not (fresh / ".venv").exists()


class TestFromAnywhere:
    """The project is found by where the script lies; the arguments by where the user stands."""

    def check(self, run, script, context_file, cwd):
        shutil.copytree(context_file.parent, cwd / "tree")
        done = run(script, "tree/context.json", "out", cwd=cwd)
        assert (done.returncode, done.stdout) == (0, "out/model_repository\n"), done.stderr
        assert (cwd / "out" / "model_repository" / "topics" / "config.pbtxt").is_file()

    def test_from_another_folder(self, run, context_file, tmp_path):
        (tmp_path / "else where").mkdir()
        self.check(run, "process_template.sh", context_file, tmp_path / "else where")

    def test_through_a_link(self, run, checkout, context_file, tmp_path):
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "render").symlink_to(checkout / "process_template.sh")
        (tmp_path / "else").mkdir()
        self.check(run, tmp_path / "bin" / "render", context_file, tmp_path / "else")

    def test_through_a_link_to_a_link_to_the_folder(self, run, checkout, context_file, tmp_path):
        (tmp_path / "factory").symlink_to(checkout)
        (tmp_path / "second").symlink_to(tmp_path / "factory" / "process_template.sh")
        (tmp_path / "else").mkdir()
        self.check(run, tmp_path / "second", context_file, tmp_path / "else")

    def test_by_a_relative_path(self, run, checkout, context_file, tmp_path):
        link = tmp_path / "else"
        link.mkdir()
        relative = Path(os.path.relpath(checkout, link)) / "process_template.sh"
        shutil.copytree(context_file.parent, link / "tree")
        done = run("/bin/sh", "-c", '"$0" tree/context.json out', str(relative), cwd=link)
        assert (done.returncode, done.stdout) == (0, "out/model_repository\n"), done.stderr

    @pytest.mark.parametrize(
        "modules",
        [("utils/__init__.py", "utils/host/entry.py"), ("utils.py", "json.py", "argparse.py", "jinja2.py")],
        ids=["a package", "modules"],
    )
    def test_from_a_folder_with_python_modules_of_its_own(self, run, context_file, tmp_path, modules):
        cwd = tmp_path / "project"
        for module in modules:
            (cwd / module).parent.mkdir(parents=True, exist_ok=True)
            (cwd / module).write_text("raise SystemExit('the module of the folder the user stands in')\n")
        self.check(run, "process_template.sh", context_file, cwd)
        assert run("cleanup.sh", cwd=cwd).returncode == 0
        assert "MODEL is missing" in refused(run("make_triton_image.sh", cwd=cwd), 2)


class TestProcessTemplate:
    def test_it_prints_the_path_and_nothing_else(self, run, context_file, tmp_path):
        done = run("process_template.sh", context_file, tmp_path / "out put")
        assert (done.returncode, done.stdout) == (0, f"{tmp_path}/out put/model_repository\n")

    def test_it_does_not_overwrite(self, run, context_file, tmp_path):
        (tmp_path / "out" / "model_repository").mkdir(parents=True)
        assert "already exists" in refused(run("process_template.sh", context_file, tmp_path / "out"), 6)

    @pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 1}', '{"format": 99}'])
    def test_a_bad_context_is_refused(self, run, tmp_path, content):
        (tmp_path / "context.json").write_text(content)
        message = refused(run("process_template.sh", tmp_path / "context.json", tmp_path / "out"), 6)
        assert f"{tmp_path}/context.json" in message
        assert not (tmp_path / "out").exists()

    def test_a_missing_context_is_refused(self, run, tmp_path):
        assert "nowhere.json" in refused(run("process_template.sh", tmp_path / "nowhere.json", tmp_path / "out"), 6)

    def test_the_templates_stay_as_they_are(self, run, checkout, context_file, tmp_path):
        def state():
            files = (path for path in (checkout / "model_repository").rglob("*") if path.is_file())
            return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

        before = state()
        run("process_template.sh", context_file, tmp_path / "out")
        assert state() == before


class TestCleanup:
    @pytest.fixture
    def build(self, checkout):
        folder = checkout / "build"
        for tree in ("topics/v1", "topics/mine", "other/latest", ".work/dead-v1-x"):
            (folder / tree).mkdir(parents=True)
            (folder / tree / "content").touch()
        for tree in ("topics/v1", "other/latest", ".work/dead-v1-x"):
            (folder / tree / ".triton-image-factory").touch()
        yield folder
        shutil.rmtree(folder)

    def test_it_removes_what_this_project_made_and_says_so(self, run, build):
        done = run("cleanup.sh")
        assert done.returncode == 0, done.stderr
        assert sorted(done.stdout.splitlines()) == [
            "removed build/.work/dead-v1-x",
            "removed build/other/latest",
            "removed build/topics/v1",
        ]
        assert [path.relative_to(build).as_posix() for path in build.rglob("content")] == ["topics/mine/content"]

    def test_one_build_can_be_named(self, run, build):
        done = run("cleanup.sh", "other", "latest")
        assert (done.returncode, done.stdout) == (0, "removed build/other/latest\n")
        assert (build / "topics" / "v1" / "content").is_file()

    def test_a_folder_of_others_is_refused(self, run, build):
        assert "'topics:mine'" in refused(run("cleanup.sh", "topics", "mine"), 2)
        assert (build / "topics" / "mine" / "content").is_file()


def test_a_dry_run_prints_the_plan_and_writes_nothing(run, checkout, tiny_bert, tmp_path):
    def state():
        return {path for path in checkout.rglob("*") if ".venv" not in path.parts}

    before, model_before = state(), {path: path.stat().st_mtime_ns for path in tiny_bert.iterdir()}
    arguments = (tiny_bert, tiny_bert, "-", "topics", "v1", "8", "--dry-run", "--release", "24.08")
    done = run("make_triton_image.sh", *arguments, "--layout", "ensemble", cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "image: tritoned_topics:v1" in done.stdout
    assert "texts: a, b, c" in done.stdout
    assert "input_ids INT64 [-1], attention_mask INT64 [-1], token_type_ids INT64 [-1] -> logits FP32 [3]" in " ".join(
        done.stdout.split()
    )
    assert "references" in done.stderr
    doubt = "ONNX Runtime is 1.19.0 or 1.18.1 (sources disagree)"
    assert f"warning: Triton 24.08: {doubt}; see docs/releases.md" in done.stderr.splitlines()
    assert f"  unverified: {doubt}" in done.stdout.splitlines()
    assert not (checkout / "build").exists()
    assert state() == before
    assert list(tmp_path.iterdir()) == []
    assert {path: path.stat().st_mtime_ns for path in tiny_bert.iterdir()} == model_before
