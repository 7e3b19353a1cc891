"""What the config of a graph's step says about an execution accelerator of ONNX Runtime: one function each.

Source of the names: src/onnxruntime.cc of onnxruntime_backend, from r24.04 on. Nothing here was measured on a GPU.
"""

from collections.abc import Callable, Mapping, Sequence

from utils.host import digest
from utils.repository.pipeline import Accelerator, Ingredients
from utils.repository.tensors import TensorSpec
from utils.targets.engines import ENGINES

# The Dockerfile creates this folder in images for GPUs, writable by every user; a volume on it keeps engines.
ENGINES_FOLDER = "/opt/engines"
# The fastest kernels are chosen for the largest batch of texts with at most this many tokens. Not measured.
USUAL_TOKENS = 128


def accelerator(ingredients: Ingredients, lengths: Sequence[int]) -> Accelerator | None:
    """Of the engine of the build, for texts of these numbers of tokens, in ascending order; None if it has none."""
    name = ENGINES[ingredients.engine].accelerator
    return ACCELERATORS[name](ingredients, tuple(lengths)) if name else None


def tensorrt(ingredients: Ingredients, lengths: tuple[int, ...]) -> Accelerator:
    """TensorRT with one optimization profile for all lengths.

    With a profile for each input of free size, ONNX Runtime builds the engine while it loads the model, else during
    the first requests. It names a kept engine after the graph's structure, not after its weights, and fails on one
    that another version of TensorRT built. So the folder of the engines has the release, the precision and the graph's
    digest in its name. A timing cache is safe to share: TensorRT does not use one that does not fit.
    Source: TensorRT Execution Provider, "Explicit shape range" and the warnings on engine caching (onnxruntime.ai).
    """
    inputs, rows = ingredients.graph.inputs, max(1, ingredients.max_batch_size)
    usual = max([length for length in lengths if length <= USUAL_TOKENS], default=lengths[0])
    return Accelerator(
        name="tensorrt",
        parameters={
            "precision_mode": ingredients.precision.upper(),
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": f"{ENGINES_FOLDER}/{_name_of_engines(ingredients)}",
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": ENGINES_FOLDER,
            "trt_profile_min_shapes": _shapes(inputs, 1, 1),
            "trt_profile_opt_shapes": _shapes(inputs, rows, usual),
            "trt_profile_max_shapes": _shapes(inputs, rows, lengths[-1]),
        },
        warm_up=lengths,
    )


def _shapes(inputs: tuple[TensorSpec, ...], rows: int, length: int) -> str:
    """Like "input_ids:8x128,attention_mask:8x128"; a fixed dimension stays."""
    sizes = {each.name: "x".join(str(length if dim == -1 else dim) for dim in each.dims) for each in inputs}
    return ",".join(f"{name}:{rows}x{size}" for name, size in sizes.items())


def _name_of_engines(ingredients: Ingredients) -> str:
    """The digest is that of the graph's files; zeros while a build is only planned."""
    graph = ingredients.graph
    files = {name: graph.path.parent / name for name in (graph.path.name, *graph.external_files)}
    found = digest.of_files(files) if all(path.is_file() for path in files.values()) else "0" * 16
    return f"{ingredients.release}-{ingredients.precision}-{found[:16]}"


ACCELERATORS: Mapping[str, Callable[[Ingredients, tuple[int, ...]], Accelerator]] = {"tensorrt": tensorrt}
