"""Histograms of outcomes, and the two byte formats in which Qoro sends them.

Source of the formats: wire reference, Qoro, §3. Reading is stricter than the service's
own client: whatever could lose shots without a word is refused.
"""

from __future__ import annotations

from qawait.histograms.histogram import Histogram
from qawait.histograms.reading import MAX_BITS, MAX_OUTCOME_BYTES, decode_histogram
from qawait.histograms.writing import encode_histogram

__all__ = [
    "MAX_BITS",
    "MAX_OUTCOME_BYTES",
    "Histogram",
    "decode_histogram",
    "encode_histogram",
]
