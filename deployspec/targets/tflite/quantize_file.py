"""From a float .tflite, by ai-edge-quantizer: a function of a worker's job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np

    from deployspec.ir.artifact import Job

_FLOAT16: Final = {
    "regex": ".*",
    "operation": "*",
    "algorithm_key": "float_casting",
    "op_config": {
        "weight_tensor_config": {"num_bits": 16, "symmetric": True, "granularity": "TENSORWISE", "dtype": "FLOAT"},
        "compute_precision": "FLOAT",
        "explicit_dequantize": True,
        "skip_checks": False,
        "min_weight_elements": 0,
    },
}


def quantize(job: Job) -> dict[str, Any]:
    """Quantize the float file of the role "input"; its recorded answers stay the ones to agree with."""
    import numpy
    from ai_edge_quantizer.quantizer import Quantizer

    from deployspec import contract
    from deployspec.ir.artifact import the_artifact
    from deployspec.targets.tflite.files import prints_to_log, write

    made = job.inputs["input"]
    source = the_artifact(made)
    with prints_to_log():
        quantizer = Quantizer(str(source), _recipe(job.options["scheme"]))
        ranges = _ranges(job, source, quantizer) if quantizer.need_calibration else None
        content = bytes(quantizer.quantize(ranges).quantized_model)
    write(job, content)
    samples, answers = ([numpy.load(path) for path in contract.probe_files(made, kind)] for kind in ("input", "output"))
    how = contract.call(made)
    contract.record(job, samples, answers, options=how["options"], axes=how["axes"])
    return {}


def _recipe(scheme: str) -> list[dict[str, Any]]:
    from ai_edge_quantizer import recipe

    recipes: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "float16": lambda: [_FLOAT16],
        "int8-dynamic": recipe.dynamic_wi8_afp32,
        "int8-weights": recipe.weight_only_wi8_afp32,
        "int4-weights": recipe.weight_only_wi4_afp32,
        "int8": recipe.static_wi8_ai8,
        "int16x8": recipe.static_wi8_ai16,
    }
    return recipes[scheme]()


def _ranges(job: Job, source: Path, quantizer: Any) -> Any:
    """The least and the greatest value of each tensor over the calibration split.

    The quantizer's own calibration takes moving averages instead, which cut off what is rare and large.
    """
    from ai_edge_quantizer.calibrator import Calibrator
    from ai_edge_quantizer.recipe_manager import RecipeManager

    wanted = RecipeManager()
    wanted.load_quantization_recipe(quantizer.get_quantization_recipe())
    calibrator = Calibrator(str(source), num_threads=1, qsv_update_func=_widened)
    signature = next(iter(calibrator.get_signature_list()))
    calibrator.calibrate({signature: _Calibration(job, source)}, wanted)
    return calibrator.get_model_qsvs()


def _widened(known: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    import numpy

    return {"min": numpy.minimum(known["min"], seen["min"]), "max": numpy.maximum(known["max"], seen["max"])}


class _Calibration:
    """The calibration split in its order, one sample (1, …) of each input at a time, as the float file wants it."""

    def __init__(self, job: Job, source: Path) -> None:
        import numpy

        from deployspec.contract import call
        from deployspec.formats.tflite import ends
        from deployspec.formats.tflite_file import read

        self._inputs, _ = ends(read(source))
        self._axes = call(job.inputs["input"])["axes"]
        folder = job.inputs["calibration"]
        self._stored = [numpy.load(folder / f"{i}.npy", mmap_mode="r") for i in range(len(self._inputs))]

    def __len__(self) -> int:
        return len(self._stored[0])

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        for row in range(len(self)):
            sample = zip(self._inputs, self._stored, self._axes, strict=True)
            yield {end.name: _turned(stored[row : row + 1], order, end.dtype) for end, stored, order in sample}


def _turned(array: np.ndarray, order: list[int] | None, dtype: str) -> np.ndarray:
    """A converter may have narrowed the integers."""
    import numpy

    return numpy.array(array if order is None else array.transpose(order), dtype, order="C")
