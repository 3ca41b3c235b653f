"""A run read by pieces: what the whole object says, wherever the measurements stand."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from qawait.errors import (
    ProtocolError,
    ResponseTooLarge,
    ResponseTruncated,
    UnexpectedContent,
)
from qawait.iqm.run_decoder import RunDecoder
from qawait.iqm.run_result import RunResult

ROWS = b'[{"m":[[0,1],[1,1]],"a]}":[[2],[0]]},{}]'
READ = [{"m": [[0, 1], [1, 1]], "a]}": [[2], [0]]}, {}]
START, END = b'{"status":"ready",', b'"metadata":{}}'

RUNS = {
    "first": b'{"measurements":' + ROWS + b',"status":"ready","metadata":{}}',
    "in the middle": START + b'"measurements":' + ROWS + b"," + END,
    "last": b'{"status":"ready","metadata":{},"measurements":' + ROWS + b"}",
    "spaced": b' {\n"status" : "ready", "measurements"\t:\r\n '
    + ROWS
    + b' , "metadata" : { } }\n',
    "far apart": START + b'"measurements":' + b" " * 300 + ROWS + b"," + END,
    "after others of that name": b'{"metadata":{"request":{"measurements":[[7]],"x":['
    b'{"measurements":[3]}]}},"status":"ready","measurements":' + ROWS + b"}",
    "after its name in a text": rb'{"message":"say \"measurements\": [[5]]\\",'
    + START[1:]
    + b'"measurements":'
    + ROWS
    + b","
    + END,
    "after a longer name": rb'{"the \"measurements":[[5]],'
    + START[1:]
    + b'"measurements":'
    + ROWS
    + b","
    + END,
    "under an escaped name": START + rb'"measuremen\u0074s":' + ROWS + b"," + END,
    "after a null": START + b'"measurements":null,"measurements":' + ROWS + b"," + END,
}


def fed(*pieces: bytes) -> RunResult:
    decoder = RunDecoder()
    for piece in pieces:
        decoder.feed(piece)
    return decoder.close()


def plain(run: RunResult) -> Any:
    assert run.measurements is not None
    return [{key: c[key].tolist() for key in c} for c in run.measurements]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_the_same_however_its_text_is_cut(name: str):
    text = RUNS[name]
    whole = fed(text)
    assert plain(whole) == READ
    assert (whole.status, whole.message) == ("ready", json.loads(text).get("message"))
    assert whole.metadata.request == json.loads(text)["metadata"].get("request")
    for at in range(len(text)):
        assert fed(text[:at], text[at:]) == whole
    assert fed(*(bytes([byte]) for byte in text)) == whole
    assert fed(*(text[at : at + 7] for at in range(0, len(text), 7))) == whole


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_ends_in_the_middle_says_so(name: str):
    text = RUNS[name].strip()
    for end in range(1, len(text)):
        with pytest.raises(ResponseTruncated, match="ends in the middle"):
            fed(text[:end])


def test_a_run_cut_off_behind_its_measurements_tells_its_whole_length():
    text = START + b'"measurements":' + ROWS + b","
    with pytest.raises(ResponseTruncated, match=f"after {len(text)} bytes"):
        fed(text)


@pytest.mark.parametrize("measurements", [b"", b'"measurements":null,'])
def test_a_run_in_progress_has_no_measurements(measurements: bytes):
    run = fed(b'{"status":"pending",' + measurements + END)
    assert run.measurements is None
    assert fed(b'{"status":"pending","measurements":[],' + END).measurements is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (START + b'"measurements":[],"measurements":[{}],' + END, "comes twice"),
        (START + b'"measurements":[{}],"measurements":null,' + END, "comes twice"),
        (START + b'"measurements":5,' + END, "measurements of circuit 0"),
        (START + b'"measurements":{},' + END, "measurements of circuit 0"),
        (START + b'"measurements":[{"m":[[0],[1,1]]}],' + END, "different lengths"),
        (START + b'"measurements":nil,' + END, "run: "),
        (START + b'"measurements":[]' + END, "run: "),
        (START + b'"measurements":[],' + END + b"{", "run: "),
        (START + b'"metadata":{"measurements":[]}}', "no measurements"),
        (b'{"status":"failed","measurements":[{}],' + END, "'failed'"),
    ],
)
def test_a_run_that_cannot_be_says_why(text: bytes, why: str):
    for pieces in ((text,), tuple(bytes([byte]) for byte in text)):
        with pytest.raises(ProtocolError, match=why):
            fed(*pieces)


@pytest.mark.parametrize(
    "start",
    [
        START,
        b'{"metadata":{"request":{"measurements":[3]}},"status":"ready",',
        rb'{"message":"}]{[[\"{","status":"ready",',
        rb'{"message":"\"measurements\":","status":"ready",',
    ],
)
def test_measurements_are_never_kept_as_text(start: bytes):
    """Eight megabytes of text become under one, whatever comes before."""
    end = b"]}" if b"metadata" in start else b"]," + END
    circuit = b'{"m":[' + b",".join([b"[0,1,1,0,1,0,0,1]"] * 2000) + b"]}"
    decoder = RunDecoder()
    decoder.feed(start + b'"measurements":[' + circuit)
    tracemalloc.start()
    try:
        for _ in range(220):
            decoder.feed(b"," + circuit)
        decoder.feed(end)
        run = decoder.close()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(plain(run)) == 221
    assert peak < 2_500_000


def test_a_whole_text_is_not_copied():
    circuit = b'{"m":[' + b",".join([b"[0,1,1,0,1,0,0,1]"] * 2000) + b"]}"
    body = START + b'"measurements":[' + b",".join([circuit] * 440) + b"]," + END
    tracemalloc.start()
    try:
        run = RunResult.decode(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(plain(run)) == 440
    assert peak < len(body) / 2


def test_too_much_beside_the_measurements_is_refused():
    decoder = RunDecoder()
    decoder.feed(b'{"message":"')
    for _ in range(127):
        decoder.feed(bytes(1 << 20))
    with pytest.raises(ResponseTooLarge, match="beside the measurements"):
        decoder.feed(bytes(1 << 20))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b" \n<html>log in", UnexpectedContent),
        (b"\0" * 50, UnexpectedContent),
        (b"", UnexpectedContent),
        (b" " * 50, UnexpectedContent),
        (b"[]", ProtocolError),
        (b"{}", ProtocolError),
    ],
)
def test_what_is_no_run_at_all_says_so(text: bytes, kind: type[ProtocolError]):
    for pieces in ((text,), tuple(bytes([byte]) for byte in text)):
        with pytest.raises(ProtocolError) as caught:
            fed(*pieces)
        assert type(caught.value) is kind
