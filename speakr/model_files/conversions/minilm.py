"""Convert all-MiniLM-L6-v2 into one int8 ONNX graph that turns the tokens of a text into its vector.

    minilm.py SOURCES OUT

The package holds the weights as they were trained (safetensors). The graph is that of BERT, with the mean over all
tokens at its end. It takes one text at a time, so it needs no padding and no mask.

Runs alone, with `onnx` and `onnxruntime` of the pinned versions; nothing of it is needed afterwards.

Source: N. Reimers and I. Gurevych, "Sentence-BERT", 2019; J. Devlin et al., "BERT", 2019.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

LAYERS = 6
HEADS = 12
SIZE = 384
EPSILON = 1e-12
OPSET = 17
IR_VERSION = 8


def main(sources: Path, out: Path) -> None:
    """Write model.onnx and tokenizer.json."""
    with zipfile.ZipFile(sources / "model.zip") as archive:
        weights = read_safetensors(archive.read("model.safetensors"))
        (out / "tokenizer.json").write_bytes(archive.read("tokenizer.json"))
    with tempfile.TemporaryDirectory(dir=out) as folder:
        whole = str(Path(folder) / "model.onnx")
        onnx.save(Graph(weights).build(), whole)
        quantize_dynamic(
            whole,
            str(out / "model.onnx"),
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul", "Gather"],
        )


def read_safetensors(raw: bytes) -> dict[str, Any]:
    """Return the float tensors of a file: a JSON header with its length before it, then the values."""
    (length,) = struct.unpack_from("<Q", raw)
    start = 8 + length
    found = {}
    for name, about in json.loads(raw[8:start]).items():
        if about.get("dtype") == "F32":
            first, last = about["data_offsets"]
            found[name] = np.frombuffer(raw[start + first : start + last], "<f4").reshape(about["shape"])
    return found


class Graph:
    """Builds the graph node by node."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def build(self) -> Any:
        """Return the model: input_ids, shape (1, tokens), to vector, shape (1, size), of length 1."""
        state = self._embedded()
        for layer in range(LAYERS):
            state = self._layer(state, f"encoder.layer.{layer}")
        mean = self._add("ReduceMean", state, axes=[1], keepdims=0)
        length = self._add("ReduceL2", mean, axes=[1], keepdims=1)
        self._nodes.append(helper.make_node("Div", [mean, length], ["vector"]))
        graph = helper.make_graph(
            self._nodes,
            "minilm",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])],
            [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, SIZE])],
            [numpy_helper.from_array(value, name) for name, value in self._constants.items()],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )
        onnx.checker.check_model(model)
        return model

    def _embedded(self) -> str:
        words = self._add("Gather", self._weight("embeddings.word_embeddings.weight"), "input_ids")
        length = self._add("Gather", self._add("Shape", "input_ids"), self._constant("one", np.array([1])))
        places = self._add(
            "Slice",
            self._weight("embeddings.position_embeddings.weight"),
            self._constant("zero", np.array([0])),
            length,
        )
        kind = self._constant("kind", self._weights["embeddings.token_type_embeddings.weight"][0])
        return self._normalized(
            self._add("Add", self._add("Add", words, places), kind), "embeddings.LayerNorm"
        )

    def _layer(self, state: str, name: str) -> str:
        query, key, value = (
            self._heads(self._dense(state, f"{name}.attention.self.{each}"))
            for each in ("query", "key", "value")
        )
        scores = self._add("MatMul", query, self._add("Transpose", key, perm=[0, 1, 3, 2]))
        scale = self._constant("scale", np.array(1 / math.sqrt(SIZE / HEADS), np.float32))
        attention = self._add("Softmax", self._add("Mul", scores, scale), axis=-1)
        mixed = self._add("Transpose", self._add("MatMul", attention, value), perm=[0, 2, 1, 3])
        joined = self._add("Reshape", mixed, self._constant("joined", np.array([1, -1, SIZE])))
        seen = self._dense(joined, f"{name}.attention.output.dense")
        state = self._normalized(self._add("Add", seen, state), f"{name}.attention.output.LayerNorm")
        inner = self._gelu(self._dense(state, f"{name}.intermediate.dense"))
        outer = self._dense(inner, f"{name}.output.dense")
        return self._normalized(self._add("Add", outer, state), f"{name}.output.LayerNorm")

    def _heads(self, state: str) -> str:
        shape = self._constant("apart", np.array([1, -1, HEADS, SIZE // HEADS]))
        return self._add("Transpose", self._add("Reshape", state, shape), perm=[0, 2, 1, 3])

    def _dense(self, state: str, name: str) -> str:
        weight = self._constant(f"{name}.transposed", np.ascontiguousarray(self._weights[f"{name}.weight"].T))
        return self._add("Add", self._add("MatMul", state, weight), self._weight(f"{name}.bias"))

    def _gelu(self, state: str) -> str:
        half = self._constant("half", np.array(0.5, np.float32))
        one = self._constant("one_float", np.array(1.0, np.float32))
        root = self._constant("root", np.array(1 / math.sqrt(2), np.float32))
        gate = self._add("Add", self._add("Erf", self._add("Mul", state, root)), one)
        return self._add("Mul", self._add("Mul", state, half), gate)

    def _normalized(self, state: str, name: str) -> str:
        scale, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._add("LayerNormalization", state, scale, bias, axis=-1, epsilon=EPSILON)

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def _constant(self, name: str, value: Any) -> str:
        self._constants.setdefault(name, value)
        return name

    def _add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        output = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, list(inputs), [output], name=output, **attributes))
        return output


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
