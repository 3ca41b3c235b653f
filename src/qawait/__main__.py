"""`python -m qawait` is the command line."""

from qawait.cli import main

main()
