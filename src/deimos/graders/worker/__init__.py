"""Judging in processes that can be killed."""
