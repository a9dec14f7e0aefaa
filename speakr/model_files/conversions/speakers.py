"""Convert two PyTorch checkpoints into ONNX graphs: pyannote segmentation-3.0 and CAM++.

    speakers.py SOURCES OUT

Runs alone, with `onnx` of the pinned version. PyTorch is not needed: the checkpoints are zip archives of a pickle and
raw numbers, and the unpickler here makes tensors and nothing else.

Sources: H. Bredin, "pyannote.audio 2.1 speaker diarization pipeline", Interspeech 2023, and A. Plaquet, H. Bredin,
"Powerset multi-class cross entropy loss for neural speaker diarization", Interspeech 2023; M. Ravanelli, Y. Bengio,
"Speaker Recognition from Raw Waveform with SincNet", 2018; H. Wang et al., "CAM++: A Fast and Efficient Network for
Speaker Verification Using Context-Aware Masking", Interspeech 2023.
"""

from __future__ import annotations

import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13
IR_VERSION = 8
EPSILON = 1e-5
"""Added to variances; PyTorch's default, with which both were trained."""

SAMPLE_RATE = 16000
SINC_STRIDE = 10
SINC_MIN_HERTZ = 50.0
POOLED = 3
LEAK = 0.01
LSTM_LAYERS = 4
LSTM_SIZE = 128
MEL_BANDS = 80
DENSE_BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Layers and dilation of each dense block of CAM++."""
CONTEXT_FRAMES = 100
"""Frames that CAM++ averages to one context."""

STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8"}

Array = Any
Tensors = Mapping[str, Array]


def main(sources: Path, out: Path) -> None:
    """Write segmentation.onnx and embedding.onnx."""
    save(
        segmentation(read_checkpoint(sources / "pytorch_model.bin")["state_dict"]), out / "segmentation.onnx"
    )
    save(embedding(read_checkpoint(sources / "campplus_cn_en_common.pt")), out / "embedding.onnx")


def save(model: Any, path: Path) -> None:
    """Check a model and write it. The same model gives the same bytes."""
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


class Ignored:
    """Stands for an object of a checkpoint that is not a tensor."""

    def __init__(self, *_: object) -> None:
        """Accept any arguments."""

    def __setstate__(self, _: object) -> None:
        """Accept any state."""


def tensor(storage: Array, offset: int, shape: Sequence[int], strides: Sequence[int], *_: object) -> Array:
    """Return a tensor as an array of its own; strides are in numbers, not bytes."""
    steps = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps).copy()


class TensorUnpickler(pickle.Unpickler):
    """Makes tensors and dictionaries. No name in the pickle is ever imported."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        """Read the pickle of an archive; `root` is its only folder."""
        super().__init__(archive.open(f"{root}/data.pkl"))
        self.archive, self.root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return tensor
        return STORAGES.get(name, Ignored) if module == "torch" else Ignored

    def persistent_load(self, pid: Any) -> Array:
        """Return the numbers of a storage."""
        _, kind, key, *_ = pid
        return np.frombuffer(self.archive.read(f"{self.root}/data/{key}"), np.dtype(kind))


def read_checkpoint(path: Path) -> Any:
    """Return the object in a checkpoint, with arrays in place of tensors."""
    with zipfile.ZipFile(path) as archive:
        return TensorUnpickler(archive, archive.namelist()[0].split("/")[0]).load()


class Graph:
    """Collects the nodes and weights of a model."""

    def __init__(self, tensors: Tensors) -> None:
        """Take weights from `tensors`."""
        self.tensors = tensors
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}

    def add(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def weight(self, name: str, value: Array = None) -> str:
        """Add a weight: a tensor of the checkpoint, or another value; return its name."""
        if name not in self.weights:
            array = np.array(self.tensors[name] if value is None else value, order="C")
            self.weights[name] = numpy_helper.from_array(array, name)
        return name

    def conv(self, x: str, name: str, **attributes: Any) -> str:
        """Add a convolution."""
        bias = [self.weight(f"{name}.bias")] if f"{name}.bias" in self.tensors else []
        return self.add("Conv", [x, self.weight(f"{name}.weight"), *bias], **attributes)

    def batch_norm(self, x: str, name: str) -> str:
        """Add a batch normalisation; one without weights scales by 1."""
        count = len(self.tensors[f"{name}.running_mean"])
        scale, shift = np.ones(count, np.float32), np.zeros(count, np.float32)
        inputs = [
            self.weight(f"{name}.weight", self.tensors.get(f"{name}.weight", scale)),
            self.weight(f"{name}.bias", self.tensors.get(f"{name}.bias", shift)),
            self.weight(f"{name}.running_mean"),
            self.weight(f"{name}.running_var"),
        ]
        return self.add("BatchNormalization", [x, *inputs], epsilon=EPSILON)

    def instance_norm(self, x: str, name: str) -> str:
        """Add an instance normalisation."""
        inputs = [x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        return self.add("InstanceNormalization", inputs, epsilon=EPSILON)

    def linear(self, x: str, name: str) -> str:
        """Add a linear layer over the last axis."""
        matrix = self.weight(f"{name}.weight.T", self.tensors[f"{name}.weight"].T)
        return self.add("Add", [self.add("MatMul", [x, matrix]), self.weight(f"{name}.bias")])

    def model(self, name: str, inputs: Sequence[Any], output: str, result: Any) -> Any:
        """Return the model; `output` becomes `result`."""
        self.nodes.append(helper.make_node("Identity", [output], [result.name]))
        graph = helper.make_graph(self.nodes, name, inputs, [result], list(self.weights.values()))
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)


# --- segmentation


def segmentation(tensors: Tensors) -> Any:
    """Return the segmentation model.

    Input `samples`: shape (batch, 1, n), full scale 1, 16 kHz. Output `classes`: log probabilities of no speaker, A,
    B, C, A and B, A and C, B and C; shape (batch, frames, 7).
    """
    graph = Graph(tensors)
    x = graph.instance_norm("samples", "sincnet.wav_norm1d")
    x = graph.add("Conv", [x, graph.weight("sinc", sinc_filters(tensors))], strides=[SINC_STRIDE])
    x = pooled(graph, graph.add("Abs", [x]), 0)
    for layer in (1, 2):
        x = pooled(graph, graph.conv(x, f"sincnet.conv1d.{layer}"), layer)
    x = graph.add("Transpose", [x], perm=[2, 0, 1])
    for layer in range(LSTM_LAYERS):
        x = bidirectional(graph, x, layer)
    x = graph.add("Transpose", [x], perm=[1, 0, 2])
    for layer in (0, 1):
        x = graph.add("LeakyRelu", [graph.linear(x, f"linear.{layer}")], alpha=LEAK)
    x = graph.add("LogSoftmax", [graph.linear(x, "classifier")], axis=-1)
    samples = helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["batch", 1, "n"])
    classes = helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["batch", "frames", 7])
    return graph.model("segmentation", [samples], x, classes)


def pooled(graph: Graph, x: str, layer: int) -> str:
    """Add what follows each convolution of SincNet."""
    x = graph.add("MaxPool", [x], kernel_shape=[POOLED], strides=[POOLED])
    return graph.add("LeakyRelu", [graph.instance_norm(x, f"sincnet.norm1d.{layer}")], alpha=LEAK)


def sinc_filters(tensors: Tensors) -> Array:
    """Return the band-pass filters that low and high cut-off frequencies describe, shape (80, 1, 251)."""
    bank = "sincnet.conv1d.0.filterbank"
    lows, bands, window, times = (
        tensors[f"{bank}.{name}"] for name in ("low_hz_", "band_hz_", "window_", "n_")
    )
    least = np.float32(SINC_MIN_HERTZ)
    low = least + np.abs(lows)
    high = np.clip(low + least + np.abs(bands), least, np.float32(SAMPLE_RATE / 2))
    band = high - low
    # The angles have the rounding errors of single precision, as in training; the rest is exact.
    from_angle, to_angle = ((edge * times).astype(np.float64) for edge in (low, high))
    even = (np.sin(to_angle) - np.sin(from_angle)) / (times / 2) * window
    odd = (np.cos(from_angle) - np.cos(to_angle)) / (times / 2) * window
    filters = [
        np.concatenate([even, 2 * band, even[:, ::-1]], axis=1) / (2 * band),
        np.concatenate([odd, 0 * band, -odd[:, ::-1]], axis=1) / (2 * band),
    ]
    return np.concatenate(filters)[:, None].astype(np.float32)


def bidirectional(graph: Graph, x: str, layer: int) -> str:
    """Add one LSTM layer; x has the shape (frames, batch, features)."""
    directions = (f"l{layer}", f"l{layer}_reverse")
    tensors = graph.tensors

    def both(name: str, value: Any) -> str:
        return graph.weight(f"lstm.{name}_l{layer}", np.stack([value(each) for each in directions]))

    inputs = [
        both("W", lambda each: in_onnx_order(tensors[f"lstm.weight_ih_{each}"])),
        both("R", lambda each: in_onnx_order(tensors[f"lstm.weight_hh_{each}"])),
        both(
            "B",
            lambda each: np.concatenate(
                [in_onnx_order(tensors[f"lstm.bias_{kind}_{each}"]) for kind in ("ih", "hh")]
            ),
        ),
    ]
    y = graph.add("LSTM", [x, *inputs], hidden_size=LSTM_SIZE, direction="bidirectional")
    # (frames, directions, batch, size) becomes (frames, batch, directions and size)
    y = graph.add("Transpose", [y], perm=[0, 2, 1, 3])
    return graph.add("Reshape", [y, graph.weight("lstm.shape", np.array([0, 0, 2 * LSTM_SIZE]))])


def in_onnx_order(gates: Array) -> Array:
    """PyTorch keeps the gates as input, forget, cell, output; ONNX as input, output, forget, cell."""
    take, forget, cell, show = np.split(gates, 4)
    return np.concatenate([take, show, forget, cell])


# --- embedding


def embedding(tensors: Tensors) -> Any:
    """Return the embedding model.

    Inputs: `features`, logarithms of mel bands less their means, shape (batch, frames, 80); `contexts`, the number of
    the context of each second frame, `arange((frames + 1) // 2) // 100`. Output `vectors`: shape (batch, 192).
    """
    graph = Graph(tensors)
    x = convolutions(graph, "features")
    x = graph.conv(x, "xvector.tdnn.linear", kernel_shape=[5], strides=[2], pads=[2, 2])
    x = relu(graph, graph.batch_norm(x, "xvector.tdnn.nonlinear.batchnorm"))
    for block, (layers, dilation) in enumerate(DENSE_BLOCKS, 1):
        for layer in range(1, layers + 1):
            x = dense_layer(graph, x, f"xvector.block{block}.tdnnd{layer}", dilation)
        x = relu(graph, graph.batch_norm(x, f"xvector.transit{block}.nonlinear.batchnorm"))
        x = graph.conv(x, f"xvector.transit{block}.linear", kernel_shape=[1])
    x = statistics(graph, relu(graph, graph.batch_norm(x, "xvector.out_nonlinear.batchnorm")))
    x = graph.conv(x, "xvector.dense.linear", kernel_shape=[1])
    x = graph.batch_norm(x, "xvector.dense.nonlinear.batchnorm")
    x = graph.add("Squeeze", [x, graph.weight("last", np.array([2]))])
    inputs = [
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", "frames", MEL_BANDS]),
        helper.make_tensor_value_info("contexts", TensorProto.INT64, ["half"]),
    ]
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", 192])
    return graph.model("embedding", inputs, x, vectors)


def relu(graph: Graph, x: str) -> str:
    """Add a rectifier."""
    return graph.add("Relu", [x])


def convolutions(graph: Graph, features: str) -> str:
    """Add the two-dimensional convolutions at the start; return shape (batch, 320, frames)."""

    def conv(x: str, name: str, stride: int) -> str:
        return graph.conv(x, name, kernel_shape=[3, 3], strides=[stride, 1], pads=[1, 1, 1, 1])

    x = graph.add("Transpose", [features], perm=[0, 2, 1])
    x = graph.add("Unsqueeze", [x, graph.weight("channel", np.array([1]))])
    x = relu(graph, graph.batch_norm(conv(x, "head.conv1", 1), "head.bn1"))
    for layer in (1, 2):
        for block, stride in enumerate((2, 1)):
            name = f"head.layer{layer}.{block}"
            y = relu(graph, graph.batch_norm(conv(x, f"{name}.conv1", stride), f"{name}.bn1"))
            y = graph.batch_norm(conv(y, f"{name}.conv2", 1), f"{name}.bn2")
            if f"{name}.shortcut.0.weight" in graph.tensors:
                x = graph.conv(x, f"{name}.shortcut.0", kernel_shape=[1, 1], strides=[stride, 1])
                x = graph.batch_norm(x, f"{name}.shortcut.1")
            x = relu(graph, graph.add("Add", [y, x]))
    x = relu(graph, graph.batch_norm(conv(x, "head.conv2", 2), "head.bn2"))
    return graph.add("Reshape", [x, graph.weight("flat", np.array([0, 320, -1]))])


def dense_layer(graph: Graph, x: str, name: str, dilation: int) -> str:
    """Add a layer with a mask from its context; its output is appended to x."""
    h = relu(graph, graph.batch_norm(x, f"{name}.nonlinear1.batchnorm"))
    h = graph.conv(h, f"{name}.linear1", kernel_shape=[1])
    h = relu(graph, graph.batch_norm(h, f"{name}.nonlinear2.batchnorm"))
    y = graph.conv(
        h, f"{name}.cam_layer.linear_local", kernel_shape=[3], dilations=[dilation], pads=[dilation, dilation]
    )
    whole = graph.add("ReduceMean", [h], axes=[2], keepdims=1)
    near = graph.add(
        "AveragePool",
        [h],
        kernel_shape=[CONTEXT_FRAMES],
        strides=[CONTEXT_FRAMES],
        ceil_mode=1,
        count_include_pad=0,
    )
    context = graph.add("Add", [whole, graph.add("Gather", [near, "contexts"], axis=2)])
    mask = relu(graph, graph.conv(context, f"{name}.cam_layer.linear1", kernel_shape=[1]))
    mask = graph.add("Sigmoid", [graph.conv(mask, f"{name}.cam_layer.linear2", kernel_shape=[1])])
    return graph.add("Concat", [x, graph.add("Mul", [y, mask])], axis=1)


def statistics(graph: Graph, x: str) -> str:
    """Add the means and standard deviations over all frames, shape (batch, 2 * channels, 1)."""
    mean = graph.add("ReduceMean", [x], axes=[2], keepdims=1)
    off = graph.add("Sub", [x, mean])
    last = graph.weight("last", np.array([2]))
    squares = graph.add("ReduceSum", [graph.add("Mul", [off, off]), last], keepdims=1)
    frames = graph.add("Gather", [graph.add("Shape", [x]), graph.weight("two", np.array(2))], axis=0)
    less_one = graph.add("Sub", [frames, graph.weight("one", np.array(1))])
    variance = graph.add("Div", [squares, graph.add("Cast", [less_one], to=TensorProto.FLOAT)])
    return graph.add("Concat", [mean, graph.add("Sqrt", [variance])], axis=1)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
