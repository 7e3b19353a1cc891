"""Checks a client's request as it passes: where it ends, and the limits of its body."""

import re

from .body_limits import Limits, Rules, too_large
from .http_messages import (
    HEADERS,
    MAX_CHUNKS,
    Body,
    RefusedError,
    Sized,
    bad,
    check_lines,
    end_of_head,
    fields,
    framing,
)
from .json_members import Members
from .request_id import RequestId

# Methods and targets that Triton's parser accepts: it closes the connection for any other.
_REQUEST = re.compile(rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH) (/[\x21-\x7e]*) HTTP/1\.[01]" + HEADERS)
_INFER = re.compile(rb"[^?]*/infer(?:\?.*)?")
# A length that is no int32 crashes releases 26.06 to 26.08 (server #8794, fixed by #8925).
_HEADER_LENGTH = re.compile(rb"[0-9]{1,9}")
# A weight that is no double crashes releases up to 26.01 (server #8619). Nine digits without an exponent are valid.
_BAD_WEIGHT = re.compile(rb"\r\nAccept-Encoding:[^\r]*;q=(?![0-9.]{1,9}[ \t]*[,;\r])", re.IGNORECASE)
# Triton answers any other value, and capitals, with 501.
_CODINGS = (b"gzip", b"deflate", b"identity")
# A compressed byte may become a thousand, and other clients wait while they are checked.
_UNKNOWN, _COMPRESSED, _PLAIN = 8 * 1024, 1024, 64 * 1024
_UNKNOWN_CODING = "Content-Encoding must be gzip, deflate or identity, in lower case"

# Triton treats it as a raw binary request, and answers the empty text.
_NO_BODY = "an inference request needs a body: a JSON object with inputs"


class Request:
    """One request: `has_begun` when its headers are complete, `is_done` with its last byte.

    `head`: its request line and headers. `body_bytes`: the received bytes of its body. The other times and counts are
    for the log (time.monotonic(); 0: unknown): when its first byte arrived, when its last was sent to Triton, and when
    the model's first step began and its last one ended.
    """

    def __init__(self, rules: Rules) -> None:
        self.is_done = self.has_begun = self.is_head = self._is_compressed = False
        self.head = b""
        self.body_bytes = 0
        self.id = RequestId()
        self.number = 0
        self.rows: int | None = None
        self.began = self.sent = self.first_step = self.last_step = 0.0
        self._rules = rules
        self._needs_body = False
        self._body: Body = Sized(0)
        self._limits: Limits | None = None  # known with the headers

    @property
    def appetite(self) -> int:
        """How many bytes to read from the client next, at most."""
        if not self.has_begun:
            return _UNKNOWN
        return _COMPRESSED if self._is_compressed else _PLAIN

    @property
    def is_utf8(self) -> bool:
        """True while the received JSON is valid UTF-8, as RFC 8259, 8.1 requires."""
        return not self._limits or self._limits.is_utf8

    def take(self, content: bytes) -> int:
        """Returns how many of the bytes belong to this request and may be sent to Triton. Raises RefusedError."""
        used = 0
        if not self.has_begun:
            used = end_of_head(content)
            if not used:
                return 0
            self._begin(content[:used])
        more, carried = self._body.take(content[used:])
        self.is_done = self._body.is_done
        if carried and self._limits:
            is_first = not self.body_bytes
            if is_first:
                self.id.read_json(carried)
            self.body_bytes += len(carried)
            self._limits.feed(carried, is_whole=is_first and self.is_done)
        if self.is_done and self._needs_body and self._limits and self._limits.is_empty:
            raise bad(_NO_BODY)
        return used + more

    def _begin(self, head: bytes) -> None:
        self.head = head
        self.id.read_head(head)
        check_lines(head)
        found = _REQUEST.fullmatch(head)
        if not found:
            raise bad("this is not an HTTP/1.1 request")
        method, target = found.groups()
        if (b";q=" in head or b";Q=" in head) and _BAD_WEIGHT.search(head):
            raise bad("a weight (q=) in Accept-Encoding must have one to nine digits, such as q=0.5")
        named = fields(head)
        self._body = framing(named, default=Sized(0), max_chunks=MAX_CHUNKS)
        if isinstance(self._body, Sized) and self._body.left > self._rules.max_bytes:
            raise too_large(self._rules.max_bytes)
        json_bytes = named.get(b"inference-header-content-length")
        if json_bytes is not None and not _HEADER_LENGTH.fullmatch(json_bytes):
            raise bad("Inference-Header-Content-Length must be a number of one to nine digits")
        coding = named.get(b"content-encoding", b"identity")
        if coding not in _CODINGS:
            raise RefusedError("415 Unsupported Media Type", _UNKNOWN_CODING)
        self._is_compressed = coding != b"identity"
        is_infer = bool(_INFER.fullmatch(target))
        self._limits = self._limits_of(json_bytes, is_infer=is_infer)
        self._needs_body = is_infer and method == b"POST"
        self.has_begun, self.is_head = True, method == b"HEAD"

    def _limits_of(self, json_bytes: bytes | None, *, is_infer: bool) -> Limits:
        """Only an inference request has tensors: in its JSON, or after it if `json_bytes` gives the JSON's length."""
        if not is_infer:
            return Limits(self._rules.max_bytes, is_compressed=self._is_compressed)
        max_elements = self._rules.max_bytes
        if isinstance(self._body, Sized) and not self._is_compressed and not self._rules.may_share:
            max_elements = self._body.left
        return Limits(
            self._rules.max_bytes,
            None if json_bytes is None else int(json_bytes),
            is_compressed=self._is_compressed,
            members=Members(max_elements, may_classify=self._rules.may_classify),
        )
