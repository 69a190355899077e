"""`python -m settlement.statements.verify FILE...`"""

from __future__ import annotations

import sys
from pathlib import Path

from settlement.statements.verify.report import check_files

if __name__ == "__main__":
    right, told = check_files([Path(each) for each in sys.argv[1:]])
    print("\n".join(told))
    sys.exit(0 if right else 1)
