"""Answers that break the rules of HTTP, of compression or of JSON, drawn at random.

An answer is bytes to be sent in some pieces, and what becomes of the connection then.
"""

from __future__ import annotations

import gzip
import json
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.good_answers import BAD, replaced

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

KEPT, CLOSED, RESET, HALF = "kept", "closed", "reset", "half closed"
"""What becomes of the connection; of one that is half closed nothing more comes."""

Headers = list[tuple[bytes, bytes]]


class Hostile(NamedTuple):
    """What a server does instead of answering well."""

    kind: str
    pieces: tuple[bytes, ...]
    pause: float
    """Seconds between the pieces."""
    end: str
    accepts: bool = False
    """Whether it begins with the whole head of a good answer, so that its request was
    certainly accepted."""

    def __repr__(self) -> str:
        sent = b"".join(self.pieces)
        shown = sent if len(sent) < 600 else sent[:300] + b" ... " + sent[-200:]
        return (
            f"{self.kind}, {len(self.pieces)} pieces of {len(sent)} bytes,"
            f" {self.pause:.3f} s apart, then {self.end}: {shown!r}"
        )


def head(status: bytes, headers: Headers) -> bytes:
    lines = [b"HTTP/1.1 " + status, *(name + b": " + value for name, value in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def length(body: bytes) -> tuple[bytes, bytes]:
    return b"Content-Length", b"%d" % len(body)


def whole(body: bytes, *more: tuple[bytes, bytes]) -> bytes:
    return head(b"200 OK", [length(body), *more]) + body


def chunks(random: Random, body: bytes) -> list[bytes]:
    """The body as it is sent in chunks; the last piece ends it."""
    found: list[bytes] = []
    at = 0
    while at < len(body):
        size = random.choice((1, 2, 16, 100, 5000))
        part = body[at : at + size]
        found.append(b"%x\r\n%b\r\n" % (len(part), part))
        at += size
    return [*found, b"0\r\n\r\n"]


CHUNKED = (b"Transfer-Encoding", b"chunked")
GZIP = (b"Content-Encoding", b"gzip")


# --- kinds ----------------------------------------------------------------------------

Drawn = tuple[bytes, bool]
"""The bytes, and whether the head is that of a good answer."""


def cut(random: Random, body: bytes) -> Drawn:
    sent = whole(body)
    at = random.randrange(len(sent))
    return sent[:at], b"\r\n\r\n" in sent[:at]


def wrong_length(random: Random, body: bytes) -> Drawn:
    n = len(body)
    said = random.choice(
        [
            *(b"%d" % (n + d) for d in (-1, 1, -2, 7, -n, 10**6, 10**12)),
            *(
                b"-1",
                b"+%d" % n,
                b"0x%x" % n,
                b"%d, %d" % (n, n),
                b"%d,%d" % (n, n + 1),
            ),
            *(b"", b" ", b"ten", b"1e3", b"%d.0" % n, b"9" * 30, "١٢".encode()),
        ]
    )
    headers = [(b"Content-Length", said)]
    if random.random() < 0.3:
        headers.append(length(body))
    return head(b"200 OK", headers) + body, False


def bad_chunks(random: Random, body: bytes) -> Drawn:
    parts = chunks(random, body)
    at = random.randrange(len(parts))
    match random.randrange(12):
        case 0:
            parts = parts[:at]
        case 1:
            parts[at] = random.choice((b"zz", b"-1", b"", b" ", b"0x5", b"\x00")) + (
                b"\r\n" + parts[at]
            )
        case 2:
            parts[at] = b"f" * random.choice((9, 16, 17, 40, 20_000)) + b"\r\n"
        case 3:
            parts[at] = parts[at].replace(b"\r\n", b"\n", 1)
        case 4:
            parts[at] = parts[at].replace(b"\r\n", b";x=" + b"y" * 70_000 + b"\r\n", 1)
        case 5:
            parts[at] = parts[at][:-2]
        case 6:
            parts[-1] = b"0\r\n" + b"X: y\r\n" * random.choice((1, 5, 3000)) + b"\r\n"
        case 7:
            parts[-1] = b"0\r\nTrailer without a colon\r\n\r\n"
        case 8:
            parts[-1] = b"0\r\n"
        case 9:
            parts[at] = b"%x\r\n" % (len(body) + 5) + body
        case 10:
            parts.insert(at, b"0\r\n\r\n")
        case _:
            parts[at] = random.randbytes(random.randint(1, 40)) + parts[at]
    headers = [CHUNKED]
    if random.random() < 0.2:
        headers.append(length(body))
    return head(b"200 OK", headers) + b"".join(parts), False


def bad_coding(random: Random, body: bytes) -> Drawn:
    said = random.choice(
        (
            b"chunked, chunked",
            b"gzip, chunked",
            b"chunked, gzip",
            b"identity",
            b"x",
            b"",
        )
    )
    headers = [(b"Transfer-Encoding", said)]
    if random.random() < 0.4:
        headers.append(length(body))
    sent = b"".join(chunks(random, body)) if random.random() < 0.5 else body
    return head(b"200 OK", headers) + sent, False


LINES = [
    *(b"no colon", b": no name", b" folded: x", b"\tx", b"a b: c", b"X\x00: y"),
    *(b"X: a\x00b", b"X: a\rb", b"X: \xff\xfe", "Ünïcode: é".encode(), b"X:" * 999),
    *(b"X: " + b"a" * n for n in (8_000, 8_190, 9_000, 70_000, 300_000)),
    *(b"x" * n + b": y" for n in (8_000, 70_000)),
    *(b"\r\n".join(b"X-%d: y" % n for n in range(many)) for many in (100, 20_000)),
    *(b"Connection: close", b"Connection: upgrade", b"Upgrade: websocket"),
    *(b"Retry-After: " + b"9" * 50, b"Retry-After: \xff", b"Date: never"),
    *(b"Set-Cookie: \x01=\x02; Path=" + b"/" * 5000, b"Location: http://[::1"),
    *(b"Content-Type: text/html", b"Content-Type: ;;;", b"Content-Type: \xff/\xff"),
    *(b"Content-Type: application/json; charset=utf-7", b"Content-Type:"),
    *(b"X-RateLimit-Limit: nan", b"X-RateLimit-Remaining: -1", b"RateLimit: ;"),
]


def bad_headers(random: Random, body: bytes) -> Drawn:
    line = random.choice(LINES)
    if random.random() < 0.1:
        line = random.randbytes(random.randint(1, 60)).replace(b"\n", b"")
    status = random.choice((b"200 OK", b"200 OK", b"429 X", b"503 X", b"302 X"))
    good = head(status, [length(body)])
    return good[:-2] + line + b"\r\n\r\n" + body, False


def bad_status(random: Random, body: bytes) -> Drawn:
    line = random.choice(
        [
            *(
                b"HTTP/1.1 %b X" % code
                for code in (b"0", b"000", b"99", b"1000", b"-200")
            ),
            *(
                b"HTTP/1.1 %b X" % code
                for code in (b"2OO", b"200.0", b"", b"\xff", b"600")
            ),
            *(
                b"HTTP/%b 200 OK" % v
                for v in (b"0.9", b"1.0", b"2.0", b"9.9", b"1", b"x")
            ),
            *(
                b"HTTP/1.1 200",
                b"HTTP/1.1  200  OK",
                b"HTTP/1.1\t200\tOK",
                b"http/1.1 200 OK",
            ),
            *(b"HTTPS/1.1 200 OK", b"200 OK", b"GET / HTTP/1.1", b"ICY 200 OK", b"{}"),
            *(b"HTTP/1.1 200 " + b"O" * n for n in (5_000, 9_000, 100_000)),
            *(
                b"HTTP/1.1 200 \x00\x1b[31m",
                b"\r\nHTTP/1.1 200 OK",
                b"\xef\xbb\xbfHTTP/1.1 200",
            ),
        ]
    )
    return line + b"\r\n" + b": ".join(length(body)) + b"\r\n\r\n" + body, False


def other_status(random: Random, body: bytes) -> Drawn:
    code = random.choice(
        [*range(199, 209), *range(300, 309), *range(400, 452), *range(498, 512), 599]
    )
    spoilt = random.choice((body, b"", random.choice(list(BAD.values()))))
    headers = [length(spoilt)]
    if random.random() < 0.4:
        value = random.choice((b"0", b"1", b"soon", b"-1", b"inf", b"1e9", b"9" * 9))
        headers.append((b"Retry-After", value))
    return head(b"%d Said" % code, headers) + spoilt, False


def informed(random: Random, body: bytes) -> Drawn:
    """Answers of 1xx, of which there may be any number, before the real one."""
    code = random.choice((b"100 C", b"101 S", b"102 P", b"103 E", b"199 X"))
    extra = random.choice(([], [(b"X", b"y" * 8000)], [(b"Upgrade", b"h2c")]))
    sent = head(code, extra) * random.choice((1, 3, 300))
    return sent + (whole(body) if random.random() < 0.7 else b""), False


def bad_packing(random: Random, body: bytes) -> Drawn:
    packed = gzip.compress(body, mtime=0)
    at = random.randrange(len(packed))
    coding = b"gzip"
    match random.randrange(9):
        case 0:
            packed = packed[:at]
        case 1:
            flipped = bytearray(packed)
            flipped[at] ^= 1 << random.randrange(8)
            packed = bytes(flipped)
        case 2:
            packed += random.choice((packed, b"junk", b"\0" * 100, b"\x1f\x8b"))
        case 3:
            packed = packed * random.choice((2, 1100))
        case 4:
            packed = body
        case 5:
            packed = b""
        case 6:
            packed = filled(b" ", 20, again=True)
            coding = random.choice((b"gzip", b"gzip, gzip"))
        case 7:
            coding = random.choice(
                (b"deflate", b"br", b"zstd", b"compress", b"x", b"GZIP")
            )
            packed = zlib.compress(body) if coding == b"deflate" else packed
        case _:
            coding = random.choice((b"identity, gzip", b"gzip;q=1", b",", b"\x00"))
    return whole(packed, (b"Content-Encoding", coding)), True


def bomb(random: Random, body: bytes) -> Drawn:
    fill = random.choice((b" ", b"[", b'{"a":', b"0", b"\0"))
    return whole(filled(fill, random.choice((2, 8))), GZIP), True


@cache
def filled(fill: bytes, mebibytes: int, *, again: bool = False) -> bytes:
    """So many mebibytes of it, packed once or twice."""
    packed = gzip.compress(fill * ((mebibytes << 20) // len(fill)), mtime=0)
    return gzip.compress(packed, mtime=0) if again else packed


def bad_body(random: Random, body: bytes) -> Drawn:
    match random.randrange(4):
        case 0:
            body = random.choice(list(BAD.values()))
        case 1:
            body = random.randbytes(random.choice((1, 30, 3000)))
        case 2:
            body = damaged(random, body)
        case _:
            document: Any = json.loads(body)
            body = json.dumps(replaced(document, random)).encode()
    if random.random() < 0.2:
        return head(b"200 OK", [CHUNKED]) + b"".join(chunks(random, body)), True
    return whole(body), True


def any_damage(random: Random, body: bytes) -> Drawn:
    sent = whole(body, (b"Content-Type", b"application/json"))
    for _ in range(random.choice((1, 1, 2, 10))):
        sent = damaged(random, sent)
    return sent, False


def no_http(random: Random, body: bytes) -> Drawn:
    return random.choice(
        [
            *(b"", b"\0", b"\r\n" * 50, b"\n", b"SSH-2.0-OpenSSH_9.6\r\n", body),
            b"\x15\x03\x01\x00\x02\x02\x46",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            random.randbytes(random.choice((1, 20, 5000))),
            b"<html>" * 100,
        ]
    ), False


def twice(random: Random, body: bytes) -> Drawn:
    """A good answer, and one that nobody asked for."""
    other = random.choice((b'{"nonce":"of nobody"}', body, b""))
    return whole(body) + whole(other), True


def damaged(random: Random, sent: bytes) -> bytes:
    at = random.randrange(len(sent) + 1)
    to = min(len(sent), at + random.randint(1, 6))
    match random.randrange(5):
        case 0:
            return sent[:at] + sent[to:]
        case 1:
            return sent[:to] + sent[at:]
        case 2:
            return sent[:at] + random.randbytes(to - at) + sent[to:]
        case 3:
            put = random.choice(
                (b"\r\n", b"\n", b"\0", b":", b" ", b"\r\n\r\n", b"\xff")
            )
            return sent[:at] + put + sent[at:]
        case _:
            return sent[:at] + random.randbytes(random.randint(1, 8)) + sent[at:]


KINDS: dict[str, Callable[[Random, bytes], Drawn]] = {
    kind.__name__: kind
    for kind in (
        *(cut, wrong_length, bad_chunks, bad_coding, bad_headers, bad_status),
        *(
            other_status,
            informed,
            bad_packing,
            bomb,
            bad_body,
            any_damage,
            no_http,
            twice,
        ),
    )
}
SELDOM = {"bomb": 0.02, "informed": 0.04}
"""How much seldomer than 0.1 of the others come kinds that take long."""


def hostile(random: Random, body: bytes) -> Hostile:
    """A hostile answer in place of a good one with this body."""
    kind = random.choices(list(KINDS), [SELDOM.get(name, 0.1) for name in KINDS])[0]
    sent, accepts = KINDS[kind](random, body)
    pieces, pause = (sent,), 0.0
    # what is left over of these must be there at once: of an answer that comes once the
    # next question has been asked, nobody can know that it belongs to none
    at_once = kind in ("twice", "informed")
    if not at_once and len(sent) > 1 and random.random() < 0.3:
        cuts = sorted(
            random.randrange(1, len(sent)) for _ in range(random.randint(1, 9))
        )
        pieces = tuple(
            sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)
        )
        pause = random.choice((0.0, 0.0, 0.002, 0.01))
    # one that is kept open may be waited for until patience ends
    end = random.choices((KEPT, CLOSED, RESET, HALF), (3, 8, 1, 1))[0]
    if kind == "twice":
        end = KEPT
    if end == RESET:
        # what was sent may be lost with it
        accepts = False
    return Hostile(kind, pieces, pause, end, accepts)
