import errno
import os

import pytest

from tests.tiny_models import wordpiece
from utils.host.errors import ExportError, ImageError
from utils.host.exceptions import ADVICE, is_fault, machine_fault, panics_raised, raised_as, showing_references


def fault(number, *name):
    return OSError(number, os.strerror(number), *name)


@pytest.mark.parametrize("number", list(ADVICE))
def test_a_fault_of_the_machine_is_raised_as_the_error_of_its_stage(number):
    with pytest.raises(ImageError) as raised, raised_as(ImageError):
        raise fault(number, "/the/place")
    assert os.strerror(number) in str(raised.value)
    assert "'/the/place'" in str(raised.value)
    assert ADVICE[number] in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_wrapped_disk_full_error_is_recognised():
    wrapped = RuntimeError("writing failed")
    wrapped.__cause__ = fault(errno.ENOSPC)
    assert "make room" in machine_fault(wrapped)
    assert "make room" in machine_fault(RuntimeError("inline_container.cc: No space left on device"))
    assert "memory ran out" in machine_fault(MemoryError())


def test_a_full_disk_is_reported_in_place_of_the_stage_s_own_error():
    with pytest.raises(ExportError, match="make room") as raised, raised_as(ImageError):
        try:
            raise fault(errno.ENOSPC)
        except OSError as error:
            raise ExportError("the exporter failed") from error
    assert "the exporter failed" not in str(raised.value)


@pytest.mark.parametrize("error", [ExportError("as it is"), KeyboardInterrupt(), SystemExit(2), GeneratorExit()])
def test_factory_errors_and_signals_pass_unchanged(error):
    with pytest.raises(type(error)) as passed, raised_as(ImageError):
        raise error
    assert passed.value is error


def test_a_rust_panic_is_raised_as_a_runtime_error():
    """A real panic of tokenizers: a stride as long as the truncated text."""
    tokenizer = wordpiece()
    tokenizer.enable_truncation(5, stride=1)
    with pytest.raises(RuntimeError, match="PanicException") as raised, panics_raised():
        tokenizer.encode("a b c d e f g quick brown fox", "e f quick " * 9)
    assert is_fault(raised.value.__cause__)


def test_an_error_names_the_reference_instead_of_its_download_folder(tmp_path):
    references = {tmp_path / "downloads/model": "hf:user/name@v1"}
    with pytest.raises(ExportError, match=r"^'hf:user/name@v1/config.json' is wrong$"), showing_references(references):
        raise ExportError(f"{str(tmp_path / 'downloads/model/config.json')!r} is wrong")
    with pytest.raises(ExportError) as same, showing_references(references):
        raise (error := ExportError("no folder"))
    assert same.value is error
