"""Choosing the gold of each prompt: three filters on the candidate itself, then its length."""
