"""Benchmarks that lm-eval defines: its problems and scoring, our decoding."""
