"""Points and money: wallets, lots, draws, transfers, obligations."""
