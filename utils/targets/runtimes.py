"""The runtimes an image can have: one row per --device."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """`stage` is the Dockerfile's base stage; `instance_kind` is Triton's KIND_* for the step that runs the graph.

    `layouts` are those that can use the device, the best first. `pads_to_buckets`: the ensemble pads each
    request to one of a few lengths, so that its graph's step merges requests, which must be of one shape; else no
    further than to its longest text. On a CPU padding costs more than merging gains (docs/performance.md).
    """

    device: str
    stage: str
    instance_kind: str
    run_options: tuple[str, ...]
    needs_driver: bool
    layouts: tuple[str, ...]
    pads_to_buckets: bool = False


RUNTIMES = {
    runtime.device: runtime
    for runtime in (
        Runtime(
            device="cpu",
            stage="slim",
            instance_kind="KIND_CPU",
            run_options=(),
            needs_driver=False,
            layouts=("fused", "ensemble", "direct"),
        ),
        Runtime(
            device="gpu",
            stage="full",
            instance_kind="KIND_GPU",
            run_options=("--gpus", "all"),
            needs_driver=True,
            layouts=("ensemble", "direct"),
            pads_to_buckets=True,
        ),
    )
}
DEFAULT_DEVICE = "cpu"
