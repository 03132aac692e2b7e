"""Random numbers: refused. No two runs on a device agree, so there is nothing to compare an evaluation with."""

from __future__ import annotations

from deployspec.evaluators.mlprogram.table import refuse

for _name in ("random_bernoulli", "random_categorical", "random_normal", "random_uniform"):
    refuse(_name, "it draws random numbers, so no output of this model can be compared; give them as inputs instead")
