"""Certification: scenarios played against a plugin in child processes, and signed reports."""
