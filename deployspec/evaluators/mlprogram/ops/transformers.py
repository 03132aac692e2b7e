"""Attention."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import torch

from deployspec.evaluators.mlprogram.ops.linear import product_of
from deployspec.evaluators.mlprogram.table import IOS18, Site, op

if TYPE_CHECKING:
    from torch import Tensor


@op("scaled_dot_product_attention", since=IOS18)
def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, *, site: Site
) -> Tensor:
    """softmax(Q Kᵀ / sqrt(E) + mask) V; false in a mask of booleans shuts a position out."""
    scores = product_of(query, key.mT, site) / sqrt(query.shape[-1])
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, float("-inf"))
    elif attn_mask is not None:
        scores = scores + attn_mask
    return product_of(torch.softmax(scores, -1), value, site)
