"""Loads a Keras source, or a SavedModel, to run in float32 as it is: the reference of every comparison.

`artifact` is the spec's folder; options: `source` (`file.py:callable`, a .keras file or a SavedModel folder), `weights`
(a file of that folder, or None), `inputs` (name, shape and dtype of each) and `outputs` (their names).

Ends are matched by name. Where there is but one, or the model never named them, its order is the spec's.
"""

from __future__ import annotations

import inspect
import math
import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

# A Keras model leaves through TensorFlow, whatever the user trains with; and both look here once, at their start.
os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}

import keras
import tensorflow as tf

if TYPE_CHECKING or __package__:
    from deployspec.runners.callables import ModelFault, first_line, made_by
else:
    from callables import ModelFault, first_line, made_by  # its neighbour, where it is shipped to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np

    Ends = Callable[..., Sequence[Any]]
    """From one tensor for each input of the spec, in its order, to one for each output."""

RUNTIME = f"keras {keras.__version__} on tensorflow {tf.__version__}"

SERVING: Final = "serving_default"

_BY_KERAS: Final = re.compile(r"((input_layer|keras_tensor)(_\d+)?)?")
_BY_TENSORFLOW: Final = re.compile(r"(args|inputs|output)(_\d+)?")
"""What an end is called that nobody named; TensorFlow counts in the model's order, Keras over all models."""

_BESIDE: Final = re.compile(r"(^|/)(optimizer|metrics|seed_generator\w*|compile_metrics)(/|$)")
"""Groups of a weights file that are no weights."""


def load(artifact: str, options: dict[str, Any]) -> Any:
    """A callable from arrays to arrays, in the order of the spec's inputs and outputs."""
    opened = open_source(artifact, options)
    call = tf.function(ends(opened, options["inputs"], options["outputs"]), input_signature=specs(options["inputs"]))

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [result.numpy() for result in call(*map(tf.constant, arrays))]

    run.facts = {"weight_bytes": weight_bytes(opened)}  # type: ignore[attr-defined]
    return run


def open_source(folder: str, options: Mapping[str, Any]) -> Any:
    """The keras.Model, or the loaded SavedModel. Raises ModelFault."""
    keras.backend.clear_session()  # it counts the layers' names, which exported files hold
    keras.utils.set_random_seed(0)  # where a callable draws its weights, every process draws the same ones
    source, weights = options["source"], options.get("weights")
    path = Path(folder, source)
    if path.is_dir():
        return _open_saved_model(path)
    if source.endswith(".keras"):
        return _open_keras_file(path)
    model = made_by(folder, source, keras.Model, "keras.Model")
    ends(model, options["inputs"], options["outputs"])  # layers that were given no shapes have no weights before
    if weights is not None:
        load_weights(model, Path(folder, weights))
    return model


def specs(inputs: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The inputs as TensorFlow declares them: one sample, whatever the model would take at once."""
    return [
        tf.TensorSpec(_one_sample(each["shape"]), each["dtype"], name=f"input_{i}") for i, each in enumerate(inputs)
    ]


def variables(opened: Any) -> list[Any]:
    """The TensorFlow variables that the model answers with."""
    if isinstance(opened, keras.Model):
        return [each.value for each in opened.variables]
    return list(signature_of(opened).variables)


def weight_bytes(opened: Any) -> int:
    """Bytes of the model's weights."""
    held = opened.weights if isinstance(opened, keras.Model) else variables(opened)
    return sum(math.prod(each.shape) * tf.as_dtype(each.dtype).size for each in held)


def _one_sample(shape: Sequence[int | str]) -> tuple[int, ...]:
    return (1, *(1 if isinstance(size, str) else size for size in shape[1:]))


# --- opening ---


def _open_saved_model(path: Path) -> Any:
    if not (path / "saved_model.pb").is_file():
        raise ModelFault(f"{path.name} is no SavedModel: it has no file saved_model.pb")
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:
        raise ModelFault(f"{path.name} is no SavedModel that can be read: {first_line(error)}") from error
    signature_of(loaded)
    return loaded


def signature_of(loaded: Any) -> Any:
    """The signature that serves, or the only one. Raises ModelFault."""
    found = dict(loaded.signatures)
    if SERVING in found:
        return found[SERVING]
    if len(found) == 1:
        return next(iter(found.values()))
    names = ", ".join(found) or "none at all"
    raise ModelFault(f"the SavedModel has the signatures {names}: export it with one called '{SERVING}'")


def _open_keras_file(path: Path) -> Any:
    """Without compiling, and in safe mode: a file brings no code."""
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise ModelFault(f"{path.name} {_unreadable(str(error)) or first_line(error)}") from error


_INSTEAD: Final = "name a callable that makes the model, with its .weights.h5 beside it"


def _unreadable(said: str) -> str:
    if "Lambda" in said:
        return f"holds a Lambda layer, which is Python code inside a file and is never run from one: {_INSTEAD}"
    missing = re.search(r"Could not locate (?:class|function) '(\w+)'", said)
    if missing:
        return f"needs the class {missing[1]}, which is not Keras's own: {_INSTEAD}"
    if "zip file" in said or "file signature" in said:
        return "is no whole .keras file, as model.save() writes it"
    return ""


def load_weights(model: Any, path: Path) -> None:
    """All the file's weights into all the model's. Raises ModelFault where either has more, or other shapes."""
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            model.load_weights(path)
    except Exception as error:
        raise ModelFault(f"{path.name} {_misfit(str(error)) or first_line(error)}") from error
    if any("Skipping" in str(each.message) for each in warned):  # layers that keep the weights they were drawn with
        raise ModelFault(f"{path.name} does not fit the model: it lacks weights of layers in its containers")
    surplus = _stored(path) - len(model.weights)
    if surplus > 0:
        raise ModelFault(f"{path.name} does not fit the model: it holds {surplus} variables that the model has not")


def _misfit(said: str) -> str:
    if "file signature" in said or "truncated" in said or "Unable to" in said or "zip file" in said:
        return "is no whole weights file: save it with model.save_weights('….weights.h5')"
    if "format not supported" in said:
        return "is no file of Keras weights: save them with model.save_weights('….weights.h5')"
    shapes = re.search(r"variable.shape=(\(.*?\)), Received: value.shape=(\(.*?\))\..*?path=([^,]+),", said)
    if shapes:
        return f"does not fit the model: {shapes[3]} is {shapes[2]} there and the model's {shapes[1]}"
    layer = re.search(r"Layer '(\w+)' expected (\d+) variables, but received (\d+)", said)
    if layer:
        return f"does not fit the model: its layer '{layer[1]}' wants {layer[2]} variables, and {layer[3]} are there"
    return ""


def _stored(path: Path) -> int:
    """How many variables a .weights.h5 holds; 0 for another kind of file."""
    import h5py

    if not h5py.is_hdf5(path):
        return 0
    found: list[str] = []
    with h5py.File(path) as file:
        file.visititems(lambda name, each: found.append(name) if isinstance(each, h5py.Dataset) else None)
    return sum(_BESIDE.search(name) is None for name in found)


# --- the spec's ends to the model's ---


def ends(opened: Any, inputs: Sequence[Mapping[str, Any]], outputs: Sequence[str]) -> Ends:
    """The model as a function of the spec's inputs, in order, to its outputs; called once. Raises ModelFault."""
    names = [each["name"] for each in inputs]
    call = _called(opened, names) if isinstance(opened, keras.Model) else _served(signature_of(opened), names)

    def run(*tensors: Any) -> list[Any]:
        return list(_in_order(call(tensors), opened, outputs))

    try:
        run(*(tf.zeros(spec.shape, spec.dtype) for spec in specs(inputs)))
    except ModelFault:
        raise
    except Exception as error:
        raise ModelFault(f"the model does not take the spec's inputs: {first_line(error)}") from error
    return run


def _served(signature: Any, names: Sequence[str]) -> Ends:
    own = sorted(signature.structured_input_signature[1], key=_number)
    places = _matched("input", own, names, _BY_TENSORFLOW)

    def call(tensors: Sequence[Any]) -> Any:
        return signature(**{own[place]: tensor for place, tensor in zip(places, tensors, strict=True)})

    return call


def _number(name: str) -> int:
    """The number that `name` ends in: in a signature, output_10 stands before output_2."""
    last = name.rpartition("_")[2]
    return int(last) if last.isdecimal() else 0


def _called(model: Any, names: Sequence[str]) -> Ends:
    try:
        structure = model.input
    except (AttributeError, ValueError):  # layers without a graph: what its call takes is all that is known
        return _called_by_parameters(model, names)
    if isinstance(structure, dict):
        own = list(structure)
    else:
        own = [each.name for each in (structure if isinstance(structure, list | tuple) else [structure])]
    places = _matched("input", own, names, _BY_KERAS)

    def call(tensors: Sequence[Any]) -> Any:
        row = [tensors[places.index(place)] for place in range(len(own))]
        if isinstance(structure, dict):
            return model(dict(zip(own, row, strict=True)), training=False)
        return model(row if isinstance(structure, list | tuple) else row[0], training=False)

    return call


def _called_by_parameters(model: Any, names: Sequence[str]) -> Ends:
    """By the names of the parameters of `call`; where it has but one, all inputs go there in a list."""
    own = [name for name in inspect.signature(model.call).parameters if name not in ("training", "mask")]
    named = set(names) <= set(own)

    def call(tensors: Sequence[Any]) -> Any:
        if named:
            return model(**dict(zip(names, tensors, strict=True)))
        return model(list(tensors)) if len(own) == 1 < len(names) else model(*tensors)

    return call


def _in_order(results: Any, opened: Any, outputs: Sequence[str]) -> Iterator[Any]:
    """What the model gave, in the order of the spec's outputs."""
    unnamed = _BY_KERAS if isinstance(opened, keras.Model) else _BY_TENSORFLOW
    if isinstance(results, dict):
        own = sorted(results, key=_number)
        row = [results[name] for name in own]
    else:
        row = list(results) if isinstance(results, list | tuple) else [results]
        own = _output_names(opened, len(row))
    for each in row:
        if not tf.is_tensor(each):
            raise ModelFault(f"the model returned {type(each).__name__} where a tensor is needed")
    for place in _matched("output", own, outputs, unnamed):
        yield row[place]


def _output_names(model: Any, count: int) -> list[str]:
    """Names of the layers that give the outputs; those that Keras made up itself are none."""
    made_up = {each.name for each in getattr(model, "operations", ()) if _is_made_up(each)}
    return ["" if name in made_up else name for name in getattr(model, "output_names", None) or [""] * count]


def _is_made_up(layer: Any) -> bool:
    """Keras calls a layer after its class, with a number: `dense_1`, `batch_normalization`."""
    return re.sub(r"_\d+$", "", layer.name).replace("_", "") == type(layer).__name__.lower()


def _matched(kind: str, own: Sequence[str], names: Sequence[str], unnamed: re.Pattern[str]) -> list[int]:
    """The model's place of each of the spec's ends; `unnamed` are names that say nothing."""
    if len(own) != len(names):
        has = f"the model has {len(own)} {kind}{'s' if len(own) > 1 else ''}"
        raise ModelFault(f"{has} and the spec declares {len(names)}: write one [[model.{kind}s]] for each")
    if set(own) == set(names):
        return [own.index(name) for name in names]
    if len(own) == 1 or all(unnamed.fullmatch(name) for name in own):
        return list(range(len(own)))
    raise ModelFault(
        f"the model's {kind}s are called {', '.join(own)} and the spec's {', '.join(names)}: "
        "call them in the spec as in the model"
    )
