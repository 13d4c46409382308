"""What crosses between a program and its tests: plain values, length-prefixed."""
