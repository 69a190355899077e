"""The clearing house: what members owe each other. See README.md for what this room owns."""
