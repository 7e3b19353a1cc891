import pytest

from utils.host.errors import UsageError
from utils.options.build_spec import parse_arguments
from utils.targets.engines import ENGINES
from utils.targets.formats import FORMATS
from utils.targets.fusions import DEFAULT_FUSION, FUSIONS
from utils.targets.runtimes import RUNTIMES

ASKED = ["model", "tokenizer", "-", "topics", "v1", "8"]
FUSED = ["--device", "gpu", "--fusion", "transformers"]


@pytest.mark.parametrize("fusion", FUSIONS.values(), ids=FUSIONS)
def test_each_speaks_of_rows_of_the_other_tables(fusion):
    assert set(fusion.devices) <= set(RUNTIMES)
    assert set(fusion.engines) <= set(ENGINES)
    assert set(fusion.formats) <= set(FORMATS)


def test_the_default_fits_everything():
    row = FUSIONS[DEFAULT_FUSION]
    assert (row.devices, row.engines, row.formats) == ((), (), ())
    assert parse_arguments(ASKED).target.form.fusion == DEFAULT_FUSION
    assert parse_arguments([*ASKED, *FUSED]).target.form.fusion == "transformers"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fusion", "some"], "--fusion 'some' is not known; choose one of: none, transformers"),
        (["--fusion", "transformers"], "not for --device cpu; leave it out, or build with --device gpu"),
        (
            [*FUSED, "--engine", "tensorrt"],
            "not for --engine tensorrt; leave it out, or build with --engine onnxruntime",
        ),
        ([*FUSED, "--format", "torchscript"], "not for --format torchscript"),
    ],
)
def test_what_it_is_not_for_is_reported(options, words):
    with pytest.raises(UsageError) as caught:
        parse_arguments([*ASKED, *options])
    assert words in str(caught.value)
