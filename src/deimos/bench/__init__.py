"""Base against tuned on test problems, fair by construction: decoding, grading, rows."""
