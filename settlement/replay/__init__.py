"""What past windows would have come to under other contracts. Writes nothing."""
