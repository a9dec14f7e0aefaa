"""Convert Moonshine base-en, as its makers ship it, into three int8 ONNX graphs.

    moonshine.py SOURCES OUT

The shipped graphs expand their int8 weights at every step of the decoder. Here the expansion is done once, the weights
are quantized again for integer matrix products, and the decoder is taken apart: `keys.onnx` makes the keys and values
of the cross attention once per utterance, `decoder.onnx` does one step. The decoder also returns two heads of the
cross attention, which follow the sound and so give times of words.

Runs alone, with `onnx` and `onnxruntime` of the pinned versions; nothing of it is needed afterwards.

Source: N. Jeffries et al., "Moonshine: Speech Recognition for Live Transcription and Voice Commands", 2024.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

LAYERS = 8
HEADS = 8
HEAD_SIZE = 52
ALIGNMENT_HEADS = ((5, 5), (4, 2))
"""Layer and head of the cross attention that follow the sound best."""
FOLDABLE = ("Cast", "Mul", "Add", "Transpose")
QUANTIZED = {"encoder": ["MatMul"], "keys": ["MatMul"], "decoder": ["MatMul", "Gather"]}
IR_VERSION = 8

Known = dict[str, Any]


def main(sources: Path, out: Path) -> None:
    """Write encoder.onnx, keys.onnx, decoder.onnx and tokenizer.bin."""
    with tempfile.TemporaryDirectory(dir=out) as folder:
        temporary = Path(folder)
        encoder = load(sources / "encoder_model.ort", temporary / "e.onnx")
        decoder = load(sources / "decoder_model_merged.ort", temporary / "d.onnx")
        opset = [each for each in decoder.opset_import if each.domain in ("", "com.microsoft")]
        onnx.save(encoder_graph(encoder, opset), str(temporary / "encoder.onnx"))
        keys, step = decoder_graphs(decoder, opset)
        onnx.save(keys, str(temporary / "keys.onnx"))
        onnx.save(step, str(temporary / "decoder.onnx"))
        for name, operations in QUANTIZED.items():
            quantize_dynamic(
                str(temporary / f"{name}.onnx"),
                str(out / f"{name}.onnx"),
                weight_type=QuantType.QInt8,
                per_channel=True,
                op_types_to_quantize=operations,
            )
    shutil.copyfile(sources / "tokenizer.bin", out / "tokenizer.bin")


def load(path: Path, temporary: Path) -> Any:
    """Read an ORT file as ONNX; the runtime itself writes one in the other format."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.optimized_model_filepath = str(temporary)
    options.add_session_config_entry("session.save_model_format", "ONNX")
    onnxruntime.InferenceSession(str(path), options)
    return onnx.load(str(temporary))


def constants(initializers: Iterable[Any]) -> Known:
    """Return the values of a graph's initializers by name."""
    return {each.name: numpy_helper.to_array(each) for each in initializers}


def fold(nodes: Iterable[Any], known: Known) -> list[Any]:
    """Compute what follows from constants alone, into `known`; return the other nodes."""
    left = []
    for node in nodes:
        if node.op_type in FOLDABLE and all(name in known for name in node.input):
            known[node.output[0]] = computed(node, [known[name] for name in node.input])
        else:
            left.append(node)
    return left


def computed(node: Any, inputs: Sequence[Any]) -> Any:
    """Return the result of one node."""
    attributes = {each.name: each for each in node.attribute}
    if node.op_type == "Cast":
        return inputs[0].astype(helper.tensor_dtype_to_np_dtype(attributes["to"].i))
    if node.op_type == "Transpose":
        return inputs[0].transpose(list(attributes["perm"].ints) if "perm" in attributes else None)
    return inputs[0] * inputs[1] if node.op_type == "Mul" else inputs[0] + inputs[1]


def model(
    name: str,
    nodes: Sequence[Any],
    inputs: Iterable[Any],
    outputs: Sequence[Any],
    *,
    known: Known,
    opset: Any,
) -> Any:
    """Make a model of nodes, with the constants and inputs that they use."""
    made = {output for node in nodes for output in node.output}
    used = {each for node in nodes for each in node.input} - made
    weights = [
        numpy_helper.from_array(np.asarray(known[each], order="C"), each)
        for each in sorted(used)
        if each in known
    ]
    graph = helper.make_graph(nodes, name, [each for each in inputs if each.name in used], outputs, weights)
    return helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)


def encoder_graph(source: Any, opset: Any) -> Any:
    """Return the encoder with its weights expanded."""
    known = constants(source.graph.initializer)
    nodes = fold(source.graph.node, known)
    return model("encoder", nodes, source.graph.input, list(source.graph.output), known=known, opset=opset)


def decoder_graphs(source: Any, opset: Any) -> tuple[Any, Any]:
    """Return the graph of keys and values, and that of one step."""
    known = constants(source.graph.initializer)
    branches = {
        attribute.name: attribute.g
        for node in fold(source.graph.node, known)
        if node.op_type == "If"
        for attribute in node.attribute
        if attribute.type == AttributeProto.GRAPH
    }
    # The branch of the first step has the weights that turn what the encoder returns into keys and values.
    keys = keys_graph(branches["else_branch"], known, source.graph.input, opset)
    return keys, step_graph(branches["then_branch"], known, source.graph.input, opset)


def keys_graph(branch: Any, known: Known, inputs: Iterable[Any], opset: Any) -> Any:
    """Return the graph of the keys and values of all layers, shape (1, heads, frames, head size) each."""
    first = known | constants(branch.initializer)
    first["shape"] = np.array([0, -1, HEADS, HEAD_SIZE])
    weights = {node.name: node.input[1] for node in fold(branch.node, first) if node.op_type == "MatMul"}
    nodes, outputs = [], []
    for layer in range(LAYERS):
        for kind in ("key", "value"):
            (weight,) = [
                weight
                for name, weight in weights.items()
                if name.endswith(f"layers.{layer}/encoder_attn/{kind[0]}_proj/MatMul")
            ]
            name = f"past_key_values.{layer}.encoder.{kind}"
            nodes += [
                helper.make_node("MatMul", ["encoder_hidden_states", weight], [f"{name}_a"]),
                helper.make_node("Reshape", [f"{name}_a", "shape"], [f"{name}_b"]),
                helper.make_node("Transpose", [f"{name}_b"], [name], perm=[0, 2, 1, 3]),
            ]
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return model("keys", nodes, inputs, outputs, known=first, opset=opset)


def step_graph(branch: Any, known: Known, inputs: Iterable[Any], opset: Any) -> Any:
    """Return the graph of one step of the decoder, with the attention of two heads besides the scores."""
    step = known | constants(branch.initializer)
    nodes = fold(branch.node, step)
    outputs = [each for each in branch.output if ".encoder." not in each.name]
    for layer, head in ALIGNMENT_HEADS:
        (softmax,) = [
            node for node in nodes if node.name == f"/model/decoder/layers.{layer}/encoder_attn/Softmax"
        ]
        step[f"head{layer}"] = np.array([head])
        nodes.append(
            helper.make_node("Gather", [softmax.output[0], f"head{layer}"], [f"attention{layer}"], axis=1)
        )
        outputs.append(helper.make_tensor_value_info(f"attention{layer}", TensorProto.FLOAT, None))
    return model("decoder", nodes, inputs, outputs, known=step, opset=opset)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
