"""From a held burn to a delivered reward: relay, worker tasks, suppliers, unknown outcomes."""
