"""Files over HTTP on loopback, with redirects; a FaultyProxy before it adds TLS."""

from collections.abc import Mapping

from tests.loopback.serving import Answering, LoopbackServer


class _Files(Answering):
    loopback: "FileServer"

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        if path in self.loopback.redirects:
            self.send_content(b"", 302, {"Location": self.loopback.redirects[path]})
        elif path in self.loopback.contents:
            headers = {"Content-Encoding": "gzip"} if path in self.loopback.marked_as_encoded else {}
            unknown = path in self.loopback.without_length
            self.send_content(self.loopback.contents[path], 200, headers, announced=-1 if unknown else None)
        else:
            self.send_content(b"no such file", 404)


class FileServer(LoopbackServer):
    """Serves `contents` and `redirects` ({path: content or address}), which may be changed."""

    answering = _Files

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        super().__init__()
        self.contents = dict(contents)
        self.redirects: dict[str, str] = {}
        self.marked_as_encoded: set[str] = set()
        self.without_length: set[str] = set()
