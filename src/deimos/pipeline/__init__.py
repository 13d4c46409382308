"""The architecture: the stages, what is plugged into each, and a stage as a process."""
