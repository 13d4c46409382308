"""Helpers that lie beside the tests of this folder, and in a folder of their own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # page_server.py and others
sys.path.insert(0, str(Path(__file__).parents[1] / "chromium"))  # browser.py
