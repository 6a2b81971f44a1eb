"""Where what tests read lies, however deep in a room they stand themselves."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
"""The checkout."""
WRONG_METHODS = ROOT / "tests" / "conformance" / "wrong_methods"
"""Methods of which each breaks the contract in one way."""
