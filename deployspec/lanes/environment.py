"""The environment of a process that opens models: without secrets, on one thread."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ONE_THREAD: Final = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "XNNPACK_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS",
)  # fmt: skip
"""How the libraries beneath each runtime are told how many threads to use."""

_SECRET: Final = re.compile(
    r"DEPLOYSPEC_KEY|TOKEN|SECRET|PASSWORD|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_KEY|PRIVATE_KEY|_SOCK$|^DBUS_|DOCKER_HOST"
)


def confined(environment: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """What code of the model's may see of `environment`: no secrets, one thread, and `scratch` for temporary files."""
    kept = {name: value for name, value in environment.items() if not _SECRET.search(name.upper())}
    return kept | dict.fromkeys(ONE_THREAD, "1") | {"TMPDIR": str(scratch)}
