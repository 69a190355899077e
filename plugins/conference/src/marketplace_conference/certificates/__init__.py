"""Certificates of attendance: for who was let in, signed, on paper, and for anybody to verify."""
