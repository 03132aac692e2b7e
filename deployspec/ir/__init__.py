"""The immutable values that cross the stages."""
