"""Files into the coalition: members, contracts, firms, participants, offers and issuances."""

from marketplace.coalition.imports.report import BadLine, ImportReport
from marketplace.coalition.imports.service import ROWS, import_file

__all__ = ["ROWS", "BadLine", "ImportReport", "import_file"]
