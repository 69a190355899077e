"""Python runs this at the start of every process whose PYTHONPATH holds this folder."""

from tests.chaos.clocks import let_be_moved
from tests.chaos.failpoints import put_on_as_imported

put_on_as_imported()
let_be_moved()
