"""What other tools read: each derived from a report, none of them signed."""

from typing import Final

NOTE: Final = "derived from a report, and not signed itself: verify the report"
"""What each export says of itself where its form has room."""
