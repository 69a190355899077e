"""The pages of finance, under /settlement: what to do next, and why each figure is what it is."""
