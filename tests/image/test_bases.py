"""Different base images: another Debian, missing libraries and backends, images without Triton."""

import subprocess

import pytest

from tests.image.conftest import BOOKWORM, TRIXIE_OWN
from tests.image.infer import infer_all
from utils.docker.image import build_and_prove
from utils.host.errors import ImageError

LIBRARIES = "/usr/lib/x86_64-linux-gnu"


def build(engine, tree, **options):
    return build_and_prove(tree.folder, engine=engine, no_cache=False, verify=True, prove=infer_all, **options)


@pytest.mark.long
@pytest.mark.parametrize("runtime", ["slim", "full"])
def test_another_python(engine, make_tree, runtime):
    """The build itself checks server, stub, backends and imports. No request is sent (see TRIXIE_OWN)."""
    build_and_prove(make_tree(runtime, TRIXIE_OWN).folder, engine=engine, no_cache=False, verify=False)


@pytest.mark.long("slim-libpython*", "full-libarchive*")
@pytest.mark.parametrize(
    ("runtime", "library", "needed_by"),
    [
        ("slim", "libarchive-*", r"libtriton_\w+\.so"),
        ("slim", "libnuma-*", "tritonserver"),
        ("slim", "libpython3.11.so*", "triton_python_backend_stub"),
        ("full", "libarchive-*", "libtriton_python.so"),
        ("full", "libnuma-*", "tritonserver"),
        ("full", "libpython3.11.so*", "triton_python_backend_stub"),
    ],
)
def test_missing_library_fails_the_build_by_name(engine, derive, make_standin, make_tree, runtime, library, needed_by):
    base = derive(make_standin(BOOKWORM).full, f"RUN rm {LIBRARIES}/{library}")
    with pytest.raises(ImageError, match=rf"{needed_by}.* {library.split('*')[0]}"):
        build(engine, make_tree(runtime, base=base))


def test_missing_library_of_the_backend_in_use_is_named(engine, derive, make_standin, make_tree):
    base = derive(make_standin(BOOKWORM).full, "RUN rm backends/onnxruntime/libonnxruntime.so")
    with pytest.raises(ImageError, match=r"libtriton_onnxruntime\.so needs libonnxruntime\.so"):
        build(engine, make_tree(base=base))


def test_optional_library_may_be_missing(engine, derive, make_standin, make_tree, capfd):
    base = derive(make_standin(BOOKWORM).full, f"RUN rm {LIBRARIES}/libsqlite3.so*")
    build(engine, make_tree(base=base))
    assert "lacks libsqlite3.so.0" in capfd.readouterr().err


@pytest.mark.long
def test_full_image_of_the_legacy_builder_needs_no_onnxruntime_backend(legacy, derive, make_standin, make_tree):
    """The legacy builder builds every stage, also that of the slim image."""
    base = derive(make_standin(BOOKWORM).full, "RUN rm -r backends/onnxruntime")
    build_and_prove(make_tree("full", base=base).folder, engine=legacy, no_cache=False, verify=False)


def test_base_without_triton_is_refused(engine, bases):
    with pytest.raises(ImageError, match="no python3 that runs here"):
        engine.python_version(bases[1])


def test_facts_of_a_base(engine, bases):
    assert engine.python_version(bases[0]) == "3.11"
    assert engine.os_release(bases[0]) == ("debian", "12")
    assert engine.machine(bases[0]) == "x86_64"


def test_missing_base_is_named(engine):
    with pytest.raises(ImageError, match=r"127\.0\.0\.1:9/no/such:1 .*--base-image"):
        engine.pull_if_missing("127.0.0.1:9/no/such:1")


def test_collect_script_refuses_a_base_without_triton(engine, bases, make_tree):
    folder = make_tree("slim").folder / "deploy"
    mount = f"{folder}:/deploy:ro"
    command = [engine.client.program, "run", "--rm", "--network", "none", "-v", mount, bases[1]]
    done = subprocess.run([*command, "bash", "/deploy/collect_runtime.sh", "/rootfs"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "has no /opt/tritonserver/bin/tritonserver" in done.stderr
