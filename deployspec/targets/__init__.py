"""Targets lower a representation to the format that ships: a module or package each, and what several of them share."""
