"""Plan to artifacts: a content-addressed store, isolated workers, a scheduler."""

from deployspec.build.keys import installed_versions, missing_distributions
from deployspec.build.progress import PlainProgress, Progress, RichProgress
from deployspec.build.scheduler import BuildContext, Due, build, foresee
from deployspec.build.store import Store, default_store

__all__ = [
    "BuildContext",
    "Due",
    "PlainProgress",
    "Progress",
    "RichProgress",
    "Store",
    "build",
    "default_store",
    "foresee",
    "installed_versions",
    "missing_distributions",
]
