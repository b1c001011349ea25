"""A second reader's model, trained here and now in numpy: logistic regression on what the character net sees.

Far smaller than the shipped net (29 thousand parameters) and worse, but a true model in a true folder of models: an
ONNX file with its description and the answers that it must give, as the product loads them.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recognition.readers.characters import maps, resampled, sequences
from recognition.readers.network import CLASSES, INPUTS, OUTPUT
from recognition.training.inkset import Sample, load

INK = Path(__file__).parents[1] / "data" / "digits-sample.npz"
_COARSE = 4
_FLOAT, _INT, _INTS = 1, 2, 7


def train(folder: Path, *, steps: int = 60, threshold: float = 0.5) -> Path:
    """Train it and write its folder. The same steps give the same model."""
    known = [[stroke[:, :2].round(2).tolist() for stroke in sample.strokes] for sample in _samples()[:4]]
    inputs = _features(*_seen([[np.array(stroke, np.float32) for stroke in one] for one in known])).astype(np.float32)
    weights, bias = _learnt(steps)
    net, answers = _onnx(weights, bias), (inputs @ weights + bias).astype(float).tolist()
    about = {
        "sha256": hashlib.sha256(net).hexdigest(),
        "classes": CLASSES,
        "thresholds": {"digit": threshold, "number": threshold, "letter": 0.9},
        "training_writers": [],
        "self_test": [{"strokes": one, "logits": row} for one, row in zip(known, answers, strict=True)],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "characters.onnx").write_bytes(net)
    (folder / "characters.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


@cache
def _samples() -> list[Sample]:
    return list(load(INK))


@cache
def _learnt(steps: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights and biases by so many steps of gradient descent."""
    x = _features(*_seen([sample.strokes for sample in _samples()]))
    wanted = np.eye(len(CLASSES) + 1)[[CLASSES.index(sample.label) for sample in _samples()]]
    weights, bias = np.zeros((x.shape[1], wanted.shape[1])), np.zeros(wanted.shape[1])
    for _ in range(steps):
        off = _softmax(x @ weights + bias) - wanted
        weights -= 0.05 * (x.T @ off / len(x) + 1e-4 * weights)
        bias -= 0.05 * off.mean(axis=0)
    return weights.astype(np.float32), bias.astype(np.float32)


def _seen(inks: Iterable[Iterable[NDArray[np.floating]]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    points = np.stack([resampled(list(strokes)) for strokes in inks])
    return sequences(points), maps(points)


def _features(traces: NDArray[np.float32], grids: NDArray[np.float32]) -> NDArray[np.float64]:
    """As the graph below: traces flat, and maps averaged over squares of four by four cells, flat."""
    batch, planes, side, _ = grids.shape
    coarse = grids.reshape(batch, planes, side // _COARSE, _COARSE, side // _COARSE, _COARSE).mean(axis=(3, 5))
    return np.concatenate([traces.reshape(batch, -1), coarse.reshape(batch, -1)], axis=1).astype(np.float64)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    out: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return out


# ONNX is protocol buffers (onnx.proto3); of those only what this graph needs.


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _node(kind: str, inputs: list[str], output: str, **attributes: int | list[int]) -> bytes:
    out = b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(3, f"{kind} {output}")
    out += _field(4, kind)
    for name, value in attributes.items():
        if isinstance(value, int):
            about = _field(3, value) + _field(20, _INT)
        else:
            about = b"".join(_field(8, one) for one in value) + _field(20, _INTS)
        out += _field(5, _field(1, name) + about)
    return out


def _tensor(name: str, values: NDArray[np.float32]) -> bytes:
    dims = b"".join(_field(1, size) for size in values.shape)
    return dims + _field(2, _FLOAT) + _field(8, name) + _field(9, values.astype("<f4").tobytes())


def _about(name: str, shape: list[Any]) -> bytes:
    dims = b"".join(_field(1, _field(1, d) if isinstance(d, int) else _field(2, str(d))) for d in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, _FLOAT) + _field(2, dims)))


def _onnx(weights: NDArray[np.float32], bias: NDArray[np.float32]) -> bytes:
    traces, grids = INPUTS
    nodes = [
        _node("AveragePool", [grids], "coarse", kernel_shape=[_COARSE, _COARSE], strides=[_COARSE, _COARSE]),
        _node("Flatten", ["coarse"], "flat maps", axis=1),
        _node("Flatten", [traces], "flat traces", axis=1),
        _node("Concat", ["flat traces", "flat maps"], "features", axis=1),
        _node("Gemm", ["features", "weights", "bias"], OUTPUT),
    ]
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "small")
    graph += _field(5, _tensor("weights", weights)) + _field(5, _tensor("bias", bias))
    graph += _field(11, _about(traces, ["n", 7, 64])) + _field(11, _about(grids, ["n", 9, 24, 24]))
    graph += _field(12, _about(OUTPUT, ["n", len(bias)]))
    return _field(1, 8) + _field(8, _field(2, 17)) + _field(7, graph)
