"""The parts of the plugin API; plugins import them from `marketplace.api`."""
