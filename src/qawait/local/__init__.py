"""A service on your own machine: every dialect, a real simulator, a ledger.

`python -m qawait.local --port 0 --json` runs it; the client never imports it.
"""
