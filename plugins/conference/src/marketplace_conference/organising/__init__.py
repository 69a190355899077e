"""What an organiser's people see and do in the partner console."""
