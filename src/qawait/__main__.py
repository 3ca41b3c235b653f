"""`python -m qawait` is the command line."""

import sys

from qawait.cli import main

if __name__ == "__main__":
    sys.exit(main())
