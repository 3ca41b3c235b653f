"""Sweeps: many circuits, bounded, packed into jobs, settled in order of completion.

What decides is apart from what waits, and takes plain numbers: `axes` names points,
`chunks` sizes jobs, `budget` counts, `bisection` says what follows a refusal, `estimate`
and `forecast` look ahead. `flow` does what they say.
"""
