"""Partner vouchers: issued here, accepted at the tills of members, settled between them."""
