"""The gift fund: digital codes from pools, each given once, ever."""
