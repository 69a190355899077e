"""A double of pretix's REST API, for tests and the simulator: it answers as the real one does."""
