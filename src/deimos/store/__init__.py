"""Files that outlive a process: journals, typed rows, hashes."""
