import errno
import os

import pytest

from utils.errors import ExportError, ImageError
from utils.faults import ADVICE, sentence, told_as


def fault(number, *name):
    return OSError(number, os.strerror(number), *name)


@pytest.mark.parametrize("number", list(ADVICE))
def test_a_fault_of_the_place_becomes_the_error_of_its_stage(number):
    with pytest.raises(ImageError) as told, told_as(ImageError):
        raise fault(number, "/the/place")
    assert os.strerror(number) in str(told.value)
    assert "'/the/place'" in str(told.value)
    assert ADVICE[number] in str(told.value)
    assert "\n" not in str(told.value)


def test_what_a_library_made_of_a_full_disk_is_recognised():
    wrapped = RuntimeError("writing failed")
    wrapped.__cause__ = fault(errno.ENOSPC)
    assert "make room" in sentence(wrapped)
    assert "make room" in sentence(RuntimeError("inline_container.cc: No space left on device"))
    assert "memory ran out" in sentence(MemoryError())


def test_a_full_disk_behind_a_stage_s_own_words_is_told_as_such():
    with pytest.raises(ExportError, match="make room") as told, told_as(ImageError):
        try:
            raise fault(errno.ENOSPC)
        except OSError as error:
            raise ExportError("the exporter failed") from error
    assert "the exporter failed" not in str(told.value)


@pytest.mark.parametrize("error", [KeyError("x"), fault(errno.ENOENT, "/a"), ExportError("as it is")])
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as passed, told_as(ImageError):
        raise error
    assert passed.value is error
