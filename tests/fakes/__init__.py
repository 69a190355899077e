"""Stands in for what lies outside this machine: stateful, and able to misbehave."""
