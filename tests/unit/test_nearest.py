"""The nearest legal spelling of a word, as a phrase."""

from __future__ import annotations

import pytest

from deployspec.diagnostics import nearest


@pytest.mark.parametrize(
    ("word", "legal", "meant"),
    [
        ("TFLite", ["torchscript", "tflite"], "tflite"),
        ("good", ["Good", "bad"], "Good"),
        ("latency_p59", ["latency_p99", "latency_p95"], "latency_p95"),
        ("Latency_P59", ["latency_p99", "latency_p95"], "latency_p95"),
    ],
)
def test_case_and_swapped_letters_do_not_hide_it(word: str, legal: list[str], meant: str) -> None:
    assert nearest(word, legal) == f"perhaps you meant '{meant}'"


def test_nothing_near_is_nothing_said() -> None:
    assert nearest("onnx", ["torchscript", "tflite"]) == ""
