"""Plan to artifacts: a content-addressed store, isolated workers, a scheduler."""

from deployspec.build.keys import installed_versions, missing_distributions
from deployspec.build.progress import PlainProgress, Progress, RichProgress
from deployspec.build.scheduler import BuildContext, build, cached
from deployspec.build.store import Store, default_store

__all__ = [
    "BuildContext",
    "PlainProgress",
    "Progress",
    "RichProgress",
    "Store",
    "build",
    "cached",
    "default_store",
    "installed_versions",
    "missing_distributions",
]
