"""How far an artifact's outputs may be from those of what it was made from, before that is no rounding any more.

The unit is the spread (maximum - minimum) of the expected outputs over the contract's probe, and the largest
difference counts: what clips is wrong in few places, by much. A quantized artifact is held against the model in
floating point. Measured over five nets (plain, depthwise and fully connected, tokens with two outputs; trained or
fitted), with the converters at hand:

    scheme                         sound              broken
    float16                        0.0001 to 0.0014
    bfloat16                       0.001 to 0.008
    int8-weights, int8-dynamic     0.002 to 0.011
    int8                           0.005 to 0.041     0.14 to 0.41 a calibration that clips; 0.72 one scale for a
                                                      depthwise convolution's filters
    int16x8                        0.006              0.10 to 0.41 a calibration that clips
    int4-weights                   0.028 to 0.127
    palette-8                      0.002 to 0.007
    palette-6                      0.013 to 0.033
    palette-4                      0.038 to 0.123

Of Core ML it is what the reference evaluator computes, in each of its arithmetics, for iOS 16 to 18: over the digits
(torch and Keras, trained), the two nets of `deployspec.testing` (fitted) and a depthwise one of Keras with two outputs
(as drawn); int8 over those of torch.
"""

from __future__ import annotations

from typing import Final

EXACT: Final = 1e-4
"""Floating point, other kernels: sums in another order."""

TOLERANCES: Final[dict[str, float]] = {
    "float16": 0.01,
    "bfloat16": 0.05,
    "int8": 0.1,
    "int8-dynamic": 0.05,
    "int8-weights": 0.05,
    "int16x8": 0.05,
    "int4-weights": 0.3,
    "palette-8": 0.05,
    "palette-6": 0.1,
    "palette-4": 0.3,
}
"""For each quantization scheme the most that the contract of any format accepts; a lowering may be held to less."""
