"""The source that the specs of these cases name. Nothing is built of it: judging opens no model."""


def build() -> object:
    """What a check would build."""
    raise NotImplementedError
