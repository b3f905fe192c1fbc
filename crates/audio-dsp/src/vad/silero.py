#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Makes silero.bin, the weights that silero.rs reads, from the model of the Python package silero-vad 6.2.3 (MIT).

    pip install onnx numpy && pip download --no-deps silero-vad==6.2.3 && unzip silero_vad-*.whl
    python3 silero.py silero_vad/data/silero_vad_16k_sequence.onnx silero.bin

The file holds the layers in the order of their use. A layer is its biases and its scales (f32, one for each output),
then its weights (i16, a row of all outputs for each input), all little-endian; a weight times its output's scale is
the model's. Taps of a convolution that only ever meet padding are left out.
"""

import sys

import numpy as np
import onnx
from onnx import numpy_helper

graph = onnx.load(sys.argv[1]).graph
model = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def convolution(number, taps):
    weights = model[f"encoder.{number}.weight"][:, :, taps]
    return weights.transpose(2, 1, 0).reshape(-1, weights.shape[0]), model[f"encoder.{number}.bias"]


def memory():
    node = next(node for node in graph.node if node.op_type == "LSTM")
    inputs, hidden, biases = (model[name][0] for name in node.input[1:4])
    return np.concatenate([inputs.T, hidden.T]), biases[:512] + biases[512:]


layers = [
    convolution(0, [0, 1, 2]),
    convolution(1, [0, 1, 2]),
    convolution(2, [1, 2]),
    convolution(3, [1]),
    memory(),
    (model["output.weight"][0], model["output.bias"]),
]
with open(sys.argv[2], "wb") as file:
    for weights, biases in layers:
        scales = (abs(weights).max(axis=0) / 32767).astype("<f4")
        file.write(biases.astype("<f4").tobytes() + scales.tobytes())
        file.write(np.rint(weights / scales).astype("<i2").tobytes())
