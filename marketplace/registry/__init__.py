"""Plugins: installing, settings, activation, enabling per member, trying out."""
