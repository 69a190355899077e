"""Scaffolds a complete plugin: `marketplace plugins new`."""
