"""The core exchange of the Coalition Rewards Marketplace.

It imports none of its siblings (`catalog`, `charity`, `settlement`, `plugins/*`); they reach it
through the hooks in `marketplace.hookspecs`, exactly as a partner's plugin does.
"""

__version__ = "0.1.0"
