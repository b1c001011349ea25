"""The character net in torch, and its way into ONNX. Only blocks that OpenCV 5's new engine takes: no GroupNorm."""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from recognition.readers.characters import GRID, MAP_CHANNELS, POINTS, SEQUENCE_CHANNELS
from recognition.readers.network import CLASSES, INPUTS, OUTPUT

OUTPUTS: Final = len(CLASSES) + 1
OPSET: Final = 17


class CharacterNet(nn.Module):  # type: ignore[misc,unused-ignore]  # torch is Any where it is not installed
    """Convolutions along the trace and over the direction maps, joined at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.trace = nn.Sequential(
            *_along(SEQUENCE_CHANNELS, 32, 5, 1),
            *_along(32, 48, 5, 2),
            *_along(48, 64, 5, 2),
            *_along(64, 96, 3, 2),
            *_along(96, 96, 3, 1),
            nn.AvgPool1d(2),
            nn.Flatten(),
            nn.Linear(384, 128),
            nn.ReLU(),
        )
        self.maps = nn.Sequential(
            *_over(MAP_CHANNELS, 20),
            *_over(20, 40),
            *_over(40, 72),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(72 * (GRID // 8) ** 2, 128),
            nn.ReLU(),
        )
        self.out = nn.Sequential(nn.Dropout(0.3), nn.Linear(256, OUTPUTS))

    def forward(self, sequences: Tensor, maps: Tensor) -> Tensor:
        """(batch, 7, 64) and (batch, 9, 24, 24) -> logits (batch, classes and "other")."""
        logits: Tensor = self.out(torch.cat([self.trace(sequences), self.maps(maps)], 1))
        return logits


def _along(into: int, out: int, width: int, stride: int) -> list[nn.Module]:
    return [nn.Conv1d(into, out, width, stride, width // 2, bias=False), nn.BatchNorm1d(out), nn.ReLU()]


def _over(into: int, out: int) -> list[nn.Module]:
    return [nn.Conv2d(into, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(), nn.MaxPool2d(2)]


def export(net: CharacterNet, path: Path) -> None:
    """Write the net as ONNX with a free batch size."""
    like = (torch.zeros(1, SEQUENCE_CHANNELS, POINTS), torch.zeros(1, MAP_CHANNELS, GRID, GRID))
    torch.onnx.export(
        net.eval(),
        like,
        str(path),
        input_names=list(INPUTS),
        output_names=[OUTPUT],
        dynamic_axes={name: {0: "batch"} for name in (*INPUTS, OUTPUT)},
        opset_version=OPSET,
        dynamo=False,
    )
