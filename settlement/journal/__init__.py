"""Double-entry journals of windows and settlements for accounting."""
