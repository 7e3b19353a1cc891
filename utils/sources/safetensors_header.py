"""Reads the header of a safetensors file: the names and shapes of its tensors, without loading any."""

from pathlib import Path

from utils.host.errors import SourceError
from utils.host.json_file import GIT_LFS
from utils.host.plain_file import open_plain

Shapes = dict[str, tuple[int, ...]]


def read_header(file: Path) -> Shapes:
    """The shape of every tensor in `file`; SourceError for a file that is damaged, empty or of another format."""
    # Arguments are checked before any package is installed.
    from safetensors import SafetensorError, safe_open

    try:
        with open_plain(file) as stream:
            if stream.read(len(GIT_LFS)) == GIT_LFS:
                raise SourceError(f"{str(file)!r} is a Git LFS pointer, not the weights; run `git lfs pull` there")
        with safe_open(file, framework="np") as opened:
            shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except OSError as error:
        raise SourceError(f"{str(file)!r} cannot be read ({error.strerror}); copy it again") from error
    except SafetensorError as error:
        reason = str(error).removeprefix("Error while deserializing header: ")
        raise SourceError(
            f"{str(file)!r} is damaged or not a safetensors file ({reason}; {file.stat().st_size} bytes); download or "
            "copy it again, or save the model again with save_pretrained()"
        ) from error
    if not shapes:
        raise SourceError(f"{str(file)!r} holds no tensor; save the model again with save_pretrained()")
    return shapes
