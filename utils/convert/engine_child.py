"""The child of engine_session.py in the serving environment: reads batches on stdin, writes outputs to stdout."""

import json
import sys
from importlib import import_module

from utils import ROOT
from utils.host.arrays_stream import read_arrays, write_arrays
from utils.host.streams import take_stdout


def main() -> None:
    """Reads one line of JSON (the graph, its settings), writes one line (the precision), then serves batches."""
    # Libraries print to stdout, too.
    answers = take_stdout()
    request = json.loads(sys.stdin.buffer.readline())
    sys.path.insert(0, str(ROOT / "model_repository/shared"))
    module = import_module(f"{request['engine']}_session")
    session = module.GraphSession(request["file"], request["settings"])
    answers.write(json.dumps({"precision": session.precision}).encode() + b"\n")
    answers.flush()
    while feed := read_arrays(sys.stdin.buffer):
        outputs = session.run([feed])[0]
        write_arrays(answers, {str(place): output for place, output in enumerate(outputs)})


if __name__ == "__main__":
    main()
