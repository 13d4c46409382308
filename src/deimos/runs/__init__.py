"""A run on disk: its folder, plan, records and stages' processes."""
