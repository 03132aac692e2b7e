"""Non-maximum suppression of boxes."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import torch

from deployspec.evaluators.mlprogram.table import IOS17, op

if TYPE_CHECKING:
    from torch import Tensor


@op("non_maximum_suppression")
def non_maximum_suppression(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float,
    score_threshold: float,
    max_boxes: int,
    per_class_suppression: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The best boxes (n, B, 4: centre x, centre y, width, height) that overlap no better one beyond the threshold.

    Boxes, scores and indices are filled up to `max_boxes` with 0, 0 and -1. If no score passes, the best box stays.
    Source: coremltools, `ops/tests/iOS14/test_tensor_operation.py`.
    """
    chosen_boxes = boxes.new_zeros(len(boxes), max_boxes, 4)
    chosen_scores = scores.new_zeros(len(boxes), max_boxes, scores.shape[-1])
    indices = torch.full((len(boxes), max_boxes), -1)
    counts = torch.zeros(len(boxes), dtype=torch.long)
    for at, (box, score) in enumerate(zip(boxes, scores, strict=True)):
        best, kind = score.max(-1)
        kept = _survivors(box, best, kind if per_class_suppression else torch.zeros_like(kind), iou_threshold)
        passing = [each for each in kept if best[each] > score_threshold][:max_boxes] or [int(best.argmax())]
        chosen_boxes[at, : len(passing)], chosen_scores[at, : len(passing)] = box[passing], score[passing]
        indices[at, : len(passing)], counts[at] = torch.tensor(passing), len(passing)
    return chosen_boxes, chosen_scores, indices, counts


@op("non_maximum_suppression", since=IOS17)
def non_maximum_suppression_ios17(
    boxes: Tensor, scores: Tensor, iou_threshold: float, max_boxes: int, per_class_suppression: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """As before without a threshold of scores; the number of boxes stands last in boxes (n, 4, B) and scores."""
    found = non_maximum_suppression(boxes.mT, scores.mT, iou_threshold, -inf, max_boxes, per_class_suppression)
    return found[0].mT, found[1].mT, found[2]


def _survivors(boxes: Tensor, scores: Tensor, kinds: Tensor, iou_threshold: float) -> list[int]:
    """The indices of the boxes that no better box of their kind suppresses, best first."""
    overlap = _overlaps(boxes)
    kept: list[int] = []
    for each in scores.argsort(descending=True, stable=True).tolist():
        if not any(kinds[each] == kinds[other] and overlap[each, other] > iou_threshold for other in kept):
            kept.append(each)
    return kept


def _overlaps(boxes: Tensor) -> Tensor:
    """Intersection over union of every pair; 0 for boxes without an area."""
    low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
    sides = torch.minimum(high[:, None], high) - torch.maximum(low[:, None], low)
    shared = sides.clamp(min=0).prod(-1)
    areas = boxes[:, 2] * boxes[:, 3]
    union = areas[:, None] + areas - shared
    return torch.where(union > 0, shared / union, 0)
