"""What the disk refuses while something is kept in the store, in words."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from deployspec.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORE_VARIABLE: Final = "DEPLOYSPEC_STORE"
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""How a system says that there is no room for what is written."""


@contextmanager
def explained(doing: str, folder: Path) -> Iterator[None]:
    """Raises StoreError for an OSError within: what could not be done in the store's `folder`, and what to do next."""
    try:
        yield
    except OSError as error:
        remedy = "free some space" if error.errno in FULL else "make it readable and writable for you"
        raise StoreError(
            f"cannot {doing} in the store {folder}: {error.strerror or error}. "
            f"What it holds is whole. Next: {remedy}, "
            f"or let {STORE_VARIABLE} name a folder elsewhere, and run again"
        ) from error
