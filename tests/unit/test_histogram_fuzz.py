"""The fast reader of histograms against one that reads number by number.

Whatever is done to a payload, both give the same counts or the same error in the same
words. The seed of a failing case is in its message; `HISTOGRAM_SEED` sets it.
"""

from __future__ import annotations

import base64
import os
import random
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.obvious_histograms import (
    Counts,
    Fields,
    decoded,
    fields_of,
    varints,
    written,
)

from qawait.errors import ProtocolError
from qawait.histograms import (
    Histogram,
    base64_decoder,
    decode_histogram,
    encode_histogram,
    reading,
    writing,
)
from qawait.histograms import varints as varint_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = int(os.environ.get("HISTOGRAM_SEED", "20261"))
CASES = 70_000
"""Damaged payloads in blocks of the usual size."""
CASES_IN_SMALL_BLOCKS = 30_000
"""Damaged payloads in blocks so small that each takes several."""

WIDTHS = [0, 1, 2, 7, 8, 9, 12, 27, 28, 40, 55, 56, 57, 62, 63, 64]
WIDE = [65, 70, 83, 84, 85, 111, 112, 113, 127, 128, 255, 256, 300]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks as small as may be, so that small payloads have many."""
    monkeypatch.setattr(varint_blocks, "_BLOCK_BYTES", 16)
    monkeypatch.setattr(reading, "_BLOCK_WORDS", 12)
    monkeypatch.setattr(writing, "_BLOCK_WORDS", 12)
    monkeypatch.setattr(base64_decoder, "_SHORTEST", 4)
    monkeypatch.setattr(base64_decoder, "_PAIRS_AT_ONCE", 4)


# --- sound payloads ------------------------------------------------------------------


def sound(rng: random.Random, width: int) -> Counts:
    """A histogram whose outcomes are close together, far apart, or where carries run."""
    size = rng.choice([0, 1, 2, 3, 8, 20])
    shape = rng.choice(["any", "near", "carries", "ends"])
    outcomes: set[int] = set()
    start = rng.getrandbits(width)
    for _ in range(size):
        outcome = {
            "any": lambda: rng.getrandbits(width),
            "near": lambda: start + rng.randrange(200),
            "carries": lambda: (1 << rng.randint(0, width)) + rng.randint(-2, 2),
            "ends": lambda: (1 << width) - 1 - rng.randrange(4),
        }[shape]()
        if 0 <= outcome < 1 << width:
            outcomes.add(outcome)
    often = rng.choice([(1,), (2,), (1, 2, 3), (1, 1, 129, 2**20), (1, 2**40, 2**57)])
    return [(outcome, rng.choice(often)) for outcome in sorted(outcomes)]


def in_words(histogram: Histogram) -> Counts:
    """The histogram as the oracle gives it."""
    if histogram.n_bits <= 64:
        outcomes = histogram.outcomes.tolist()
    else:
        outcomes = [int.from_bytes(row.tobytes(), "big") for row in histogram.outcomes]
    return list(zip(outcomes, histogram.counts.tolist(), strict=True))


def test_sound_payloads_are_read_and_written_alike(small_blocks: None) -> None:
    rng = random.Random(SEED)
    for case in range(2_000):
        width = rng.choice(WIDTHS + WIDE)
        counts = sound(rng, width)
        fields = fields_of(width, counts)
        payload = base64.b64encode(written(fields)).decode()
        histogram = decode_histogram(fields.encoding, width, payload)
        about = f"seed {SEED}, case {case}: {width} bits, {counts}"
        assert in_words(histogram) == counts, about
        assert decoded(fields.encoding, width, payload) == counts, about
        assert encode_histogram(histogram) == (fields.encoding, payload), about


@pytest.mark.parametrize("width", [8, 64, 70])
@pytest.mark.parametrize("said", ["appears twice", "is wider than"])
def test_an_outcome_that_cannot_be_is_named_wherever_blocks_end(
    width: int, said: str, small_blocks: None
) -> None:
    fields = fields_of(width, [(outcome, 1) for outcome in range(3, 43)])
    for at in range(1, 40):
        gaps = list(fields.gaps)
        gaps[at] = 0 if said == "appears twice" else (1 << width) - 1
        payload = base64.b64encode(written(fields._replace(gaps=gaps))).decode()
        named = at - 1 if said == "appears twice" else at
        with pytest.raises(ProtocolError, match=f"outcome {named} {said}"):
            decode_histogram("qh1", width, payload)


# --- damaged payloads ----------------------------------------------------------------


def lie(rng: random.Random, fields: Fields) -> Fields:
    """The fields with one that is wrong, and a sum that may hide it."""
    huge = [2**28, 2**31, 2**32, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64]
    limit = 1 << fields.width
    name = rng.choice(Fields._fields)
    value = getattr(fields, name)
    if name == "encoding":
        return fields._replace(encoding=rng.choice(["qh1", "qh2"]))
    if not isinstance(value, int):
        values = list(value)
        if values and rng.random() < 0.9:
            at = rng.randrange(len(values))
            near = [0, 1, values[at] + 1, values[at] * 2, limit - 1, limit, limit + 1]
            values[at] = rng.choice(near + huge)
        else:
            values.append(rng.choice([0, 1, 5]))
        fields = fields._replace(**{name: values})
    else:
        value = rng.choice([0, 1, value + 1, max(0, value - 1), 2 * value, *huge])
        fields = fields._replace(**{name: value})
    if rng.random() < 0.3:
        found = sum(fields.extras) + len(fields.extras) + len(fields.gaps)
        fields = fields._replace(total=found)
    if rng.random() < 0.3:
        runs = len(varints([fields.n_runs, *fields.runs])) + bool(fields.n_runs)
        fields = fields._replace(flag_bytes=runs)
    return fields


def damaged(rng: random.Random, payload: bytes, other: bytes) -> bytes:
    """The payload cut, changed, stretched, or joined to another one."""
    at = rng.randrange(len(payload) + 1)
    to = min(len(payload), at + rng.randint(0, 4))
    match rng.randrange(8):
        case 0:
            return payload[:at]
        case 1:
            flipped = bytearray(payload)
            flipped[at % len(payload)] ^= 1 << rng.randrange(8)
            return bytes(flipped)
        case 2:
            return payload[:at] + rng.choice([b"\0", b"\x80", b"\xff"]) + payload[to:]
        case 3:
            return payload[:at] + rng.randbytes(rng.randint(1, 3)) + payload[at:]
        case 4:
            return payload[:at] + payload[to:]
        case 5:
            return payload[:to] + payload[at:]
        case 6:
            # The number that ends here becomes longer than it need be.
            ends = [n for n, byte in enumerate(payload) if n > 3 and byte < 0x80]
            if not ends:
                return payload
            at = rng.choice(ends)
            return payload[:at] + bytes([payload[at] | 0x80, 0]) + payload[at + 1 :]
        case _:
            return payload[:at] + other[at:]


def damaged_text(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    to = min(len(text), at + rng.randint(0, 2))
    return (
        text[:at] + rng.choice(["", "=", "==", "\n", "-", "é", "AA", "A"]) + text[to:]
    )


Case = tuple[str, int | None, str]


def cases(rng: random.Random, number: int) -> Iterator[Case]:
    """Encodings, widths and payloads, most of which break a rule."""
    other = b""
    for _ in range(number):
        width = rng.choice(WIDTHS if rng.random() < 0.7 else WIDE)
        fields = fields_of(width, sound(rng, width))
        # Few rules are broken by accident: most lies are told on purpose.
        kind = rng.random()
        if kind < 0.6:
            fields = lie(rng, fields)
        payload = written(fields)
        if kind > 0.5:
            payload = damaged(rng, payload, other)
        other = payload
        text = base64.b64encode(payload).decode()
        if rng.random() < 0.05:
            text = damaged_text(rng, text)
        if rng.random() < 0.01:
            yield rng.choice([("qh3", width, text), (fields.encoding, None, text)])
        else:
            yield fields.encoding, fields.width, text


Outcome = tuple[str, str] | Counts


def read(case: Case) -> Outcome:
    try:
        return in_words(decode_histogram(*case))
    except ProtocolError as error:
        return type(error).__name__, str(error)


def read_plainly(case: Case) -> Outcome:
    try:
        return decoded(*case)
    except ProtocolError as error:
        return type(error).__name__, str(error)


def compare(seed: int, number: int) -> Counter[str]:
    """Reads so many cases in both ways, and tells what came out how often."""
    seen: Counter[str] = Counter()
    for n, case in enumerate(cases(random.Random(seed), number)):
        found, expected = read(case), read_plainly(case)
        assert found == expected, f"seed {seed}, case {n}: {case}"
        said = expected[1] if isinstance(expected, tuple) else "read"
        seen[re.sub(r"b'.*?'|'.*?'|[0-9]+|None", "#", said)] += 1
    return seen


RULES = [
    "read",
    "# appears twice",
    "# outcomes, but # gaps",
    "# is wider than # bits",
    "a gap is wider than",
    "a run is wider than",
    "a extra is wider than",
    "a gap is longer than",
    "a run is longer than",
    "a extra is longer than",
    "a number of gaps is longer than",
    "ends inside a gap",
    "ends inside a run",
    "ends inside a extra",
    "gaps announced",
    "flags announced",
    "runs announced",
    "extras announced",
    "no flags for",
    "a run of flags is empty",
    "flags take",
    "# flags for # outcomes",
    "# extras for # outcomes",
    "bytes too many",
    "counts add up to",
    "not base#",
    "begins with",
    "its envelope says",
    "unknown encoding",
]


@pytest.mark.timeout(300)
def test_damaged_payloads_are_read_or_refused_alike() -> None:
    seen = compare(SEED, CASES)
    print(f"seed {SEED}: {seen}")
    never = [rule for rule in RULES if not any(rule in said for said in seen)]
    assert not never, f"seed {SEED}: no case was refused by {never}"


@pytest.mark.timeout(300)
def test_damaged_payloads_in_many_blocks_are_read_or_refused_alike(
    small_blocks: None,
) -> None:
    seen = compare(SEED + 1, CASES_IN_SMALL_BLOCKS)
    print(f"seed {SEED + 1}: {seen}")
    assert seen["read"] > CASES_IN_SMALL_BLOCKS // 50
