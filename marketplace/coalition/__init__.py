"""Who is in the coalition: members and their contracts, firms, participants."""
