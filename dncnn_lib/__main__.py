"""``python -m dncnn_lib``: see ``dncnn_lib.cli``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
