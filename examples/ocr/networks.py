"""Two small networks with the inputs and outputs of NVIDIA's tutorial: EAST maps and CTC frames."""

import torch
from torch import Tensor, nn

FARTHEST = 512.0  # maximum distance in pixels from a point to a side of its box, as in EAST


def block(inputs: int, outputs: int, *, stride: int | tuple[int, int] = 1) -> nn.Sequential:
    """A 3 x 3 convolution with batch normalization."""
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


class Detector(nn.Module):
    """FP32 [N, H, W, 3], RGB less its means -> scores [N, H/4, W/4, 1] and geometry [N, H/4, W/4, 5].

    Sides are multiples of 32. Features of five downsampling stages are merged upwards, as in a feature pyramid.
    """

    def __init__(self, widths: tuple[int, ...] = (16, 24, 40, 64, 80), merged: int = 32) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            block(before, after, stride=2) for before, after in zip((3, *widths), widths, strict=False)
        )
        self.context = nn.Sequential(block(widths[-1], widths[-1]), block(widths[-1], widths[-1]))
        self.side = nn.ModuleList(nn.Conv2d(width, merged, 1) for width in widths[1:])
        self.merge = nn.ModuleList(block(merged, merged) for _ in widths[1:-1])
        self.head = nn.Conv2d(merged, 6, 1)
        self.head.bias = nn.Parameter(torch.tensor([-2.0, -3.5, -3.0, -3.5, -3.0, 0.0]))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Returns scores in [0, 1], distances in pixels, and the angle in radians within a quarter turn."""
        features, seen = images.permute(0, 3, 1, 2) / 64, []
        for stage in self.down:
            features = stage(features)
            seen.append(features)
        seen[-1] = self.context(seen[-1])
        sides = [side(found) for side, found in zip(self.side, seen[1:], strict=True)]
        merged = sides[-1]
        for side, merge in zip(sides[-2::-1], self.merge, strict=True):
            merged = merge(side + nn.functional.interpolate(merged, scale_factor=2.0, mode="nearest"))
        maps = torch.sigmoid(self.head(merged)).permute(0, 2, 3, 1)
        distances, turn = maps[..., 1:5] * FARTHEST, (maps[..., 5:] - 0.5) * (torch.pi / 2)
        return maps[..., :1], torch.cat([distances, turn], dim=3)


class Recognizer(nn.Module):
    """FP32 [N, 1, 32, 100], grey in [-1, 1] -> logits [N, 25, symbols], one frame per four columns."""

    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            block(1, 16, stride=2),
            block(16, 48),
            block(48, 64, stride=2),
            block(64, 64),
            block(64, 96, stride=(2, 1)),
            block(96, 128, stride=(2, 1)),
            nn.Conv2d(128, 160, (2, 3), padding=(0, 1), bias=False),
            nn.BatchNorm2d(160),
            nn.ReLU(),
            nn.Conv2d(160, symbols, (1, 1)),
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Returns the logits, blank first."""
        frames: Tensor = self.layers(crops)
        return frames.squeeze(2).transpose(1, 2)
