"""What is still owed for points: by issuer and age, and when a member leaves."""
