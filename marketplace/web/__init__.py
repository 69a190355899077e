"""What every HTTP answer shares: problem+json, paging, request context."""
