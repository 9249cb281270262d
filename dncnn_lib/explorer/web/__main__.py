"""``python -m dncnn_lib.explorer.web FOLDER``"""

import sys

from .build import main

if __name__ == "__main__":
    sys.exit(main())
