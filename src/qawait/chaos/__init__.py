"""Kills a sweeping program again and again, and judges it by the service's own ledger.

`qawait chaos` runs it. Needs a system that can fork.
"""
