"""Train `digits.weights.h5` on the splits of `examples/digits`. One thread, fixed seeds; about a minute."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from digits import build

HERE = Path(__file__).parent
DATA = HERE.parent / "digits" / "data"
EPOCHS = 60


def main() -> None:
    """Train, save, and say how well it went."""
    keras.utils.set_random_seed(0)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    (x, y), (test_x, test_y) = load("train"), load("test")
    shift = keras.Sequential([keras.layers.RandomTranslation(0.125, 0.125, fill_mode="constant", fill_value=-1.0)])
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(y), seed=0).batch(32)
    model = build()
    steps = EPOCHS * len(data)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(data.map(lambda image, label: (shift(image, training=True), label)), epochs=EPOCHS, verbose=0)
    bare = build()  # without the optimizer, whose state would be saved with it
    bare.set_weights(model.get_weights())
    bare.save_weights(HERE / "digits.weights.h5")
    correct = int((model.predict(test_x, verbose=0).argmax(1) == test_y).sum())
    print(f"{model.count_params()} parameters; test accuracy {correct} of {len(test_y)} = {correct / len(test_y):.2%}")


def load(split: str) -> tuple[np.ndarray, np.ndarray]:
    """What the spec's `preprocess` does: uint8 0..16 to float32 -1..1, channels last."""
    stored = np.load(DATA / f"{split}.npz")
    return (stored["x"].astype(np.float32) * 0.0625 - 0.5) / 0.5, stored["y"]


if __name__ == "__main__":
    main()
