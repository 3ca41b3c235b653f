"""What the rivals are given. Standard library only: every environment imports it."""

from __future__ import annotations

NATIVE = (
    ("prx", ("QB1",), {"angle": 1.5707963267948966, "phase": 1.5707963267948966}),
    ("prx", ("QB2",), {"angle": 1.5707963267948966, "phase": 1.5707963267948966}),
    ("cz", ("QB1", "QB2"), {}),
    ("prx", ("QB2",), {"angle": 1.5707963267948966, "phase": -1.5707963267948966}),
    ("measure", ("QB2", "QB1"), {"key": "m"}),
)
"""A Bell pair in IQM's native operations: name, locus, arguments (angles in radians)."""
