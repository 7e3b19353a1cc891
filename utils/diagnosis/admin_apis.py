"""Row 16 of the fault table: the APIs that must be closed for clients without the key. Needs tritonclient."""

import tritonclient.grpc

from utils.diagnosis.target import Target

CLOSED = 403
ADMIN_HTTP = (
    ("POST", "/v2/repository/index"),
    ("POST", "/v2/repository/models/{name}/load"),
    ("POST", "/v2/repository/models/{name}/unload"),
    ("GET", "/v2/systemsharedmemory/status"),
    ("POST", "/v2/systemsharedmemory/region/x/register"),
    ("POST", "/v2/cudasharedmemory/unregister"),
    ("GET", "/v2/models/{name}/config"),
    ("GET", "/v2/models/stats"),
    ("GET", "/v2/models/{name}/stats"),
    ("POST", "/v2/trace/setting"),
    ("POST", "/v2/models/{name}/trace/setting"),
    ("POST", "/v2/logging"),
)
ADMIN_GRPC = [
    "get_model_repository_index",
    "get_log_settings",
    "get_trace_settings",
    "get_inference_statistics",
    "get_system_shared_memory_status",
    "unregister_cuda_shared_memory",
]


def open_over_http(target: Target) -> list[str]:
    """The requests of ADMIN_HTTP whose status is not 403."""
    requests = [(method, path.format(name=target.model)) for method, path in ADMIN_HTTP]
    return [f"{method} {path}" for method, path in requests if target.send(path, b"", method=method).status != CLOSED]


def open_over_grpc(address: str, *, key: str = "") -> list[str]:
    """The calls of ADMIN_GRPC that are not refused as restricted when `key` is sent; `address` is host:port."""
    headers = {"triton-grpc-protocol-admin-key": key} if key else None
    found = []
    with tritonclient.grpc.InferenceServerClient(address) as client:
        for call in ADMIN_GRPC:
            try:
                getattr(client, call)(headers=headers)
                found.append(call)
            except tritonclient.grpc.InferenceServerException as error:
                if "restricted" not in str(error):
                    found.append(call)
    return found
