"""A double of Stripe for tests and demonstrations: stateful, and able to misbehave."""
