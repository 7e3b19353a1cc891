"""The other side of engine_session.py, run by the Python that serves: batches on stdin, their outputs on stdout."""

import json
import sys
from importlib import import_module

from utils import ROOT
from utils.host.arrays_stream import read_arrays, write_arrays
from utils.host.streams import take_stdout


def main() -> None:
    """First a line of JSON: the graph and its settings; answered with a line: the precision computed in."""
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
