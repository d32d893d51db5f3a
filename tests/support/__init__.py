"""What tests share: places, and helpers in a module each."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "tests" / "events"
"""Records and reports as they were seen, in files."""
