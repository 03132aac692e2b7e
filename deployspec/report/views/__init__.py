"""Views of a report for people and programs. Each is derived from the report and signed by nobody."""
