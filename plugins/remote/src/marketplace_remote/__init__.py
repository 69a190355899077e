"""Remote partners: suppliers that run their own service, over signed HTTPS."""
