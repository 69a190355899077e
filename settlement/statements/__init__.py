"""What each member is told of a window or a settlement: PDF, CSV and signed JSON."""
