"""The digits network of `examples/digits`, in Keras: what `specs/keras-digits.toml` promises to ship."""

import keras
from keras import layers


def build() -> keras.Model:
    """Three convolutions and a linear head: (n, 8, 8, 1) in [-1, 1] to (n, 10) logits. Untrained."""
    image = keras.Input((8, 8, 1), name="image")
    x = _block(image, 16)
    x = layers.MaxPooling2D()(_block(x, 32))
    x = layers.MaxPooling2D()(_block(x, 32))
    logits = layers.Dense(10, name="logits")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, logits)


def _block(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """A 3x3 convolution that keeps the image's size, normalised and rectified."""
    return layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)))
