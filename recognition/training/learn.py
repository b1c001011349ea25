"""Teaches the character net. Deterministic for a seed, a set of insets and a version of torch on one thread."""

import time
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recognition.readers.characters import POINTS, centred, maps, sequences
from recognition.readers.network import CAPITALS, DIGITS
from recognition.training.junk import junk, strokes_of
from recognition.training.net import CharacterNet
from recognition.training.reader_ink import OTHER, ReaderInk

_BATCH: Final = 256
_JUNK_SHARE: Final = 0.12
_SMOOTHING: Final = 0.02
_KEEP_AVERAGE: Final = 0.998
_DOUBTED_FROM: Final = 0.5
"""From this share of the epochs on, samples that the net itself finds all but impossible are left out: wrong labels."""
_IMPOSSIBLE: Final = 0.03
_DIGITS_TIMES: Final = 2
"""How often a digit comes in an epoch while everything else comes once."""
_RESTYLED: Final = 0.3
"""Share of the characters whose strokes are written in another order, direction or from another start."""
_CLOSED: Final = 0.35
"""Ends of a stroke so near, in half sizes, make it a loop that may start elsewhere."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train."""

    seed: int
    epochs: int
    rate: float = 4e-3
    threads: int = 1


def learn(ink: ReaderInk, plan: Plan) -> CharacterNet:
    """A net that has learnt these characters, ready to judge."""
    torch.manual_seed(plan.seed)
    torch.set_num_threads(plan.threads)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(plan.seed)
    net, average = CharacterNet(), CharacterNet()
    average.load_state_dict(net.state_dict())
    source = ink.points[(ink.label < len(DIGITS)) & (ink.label != 1)]
    again = np.where(ink.label < len(DIGITS), _DIGITS_TIMES, 1)
    made = int(again.sum() * _JUNK_SHARE)
    steps = -(-(int(again.sum()) + made) // _BATCH) * plan.epochs
    chooser = torch.optim.AdamW(net.parameters(), plan.rate, weight_decay=0.02)
    pace = torch.optim.lr_scheduler.OneCycleLR(chooser, plan.rate, total_steps=steps, pct_start=0.15)
    trusted = np.ones(len(ink), np.bool_)
    for epoch in range(plan.epochs):
        began, losses = time.monotonic(), []
        if epoch == int(plan.epochs * _DOUBTED_FROM):
            trusted = _believable(average, ink)
        for points, label, weights in _batches(
            ink.taken(np.repeat(np.flatnonzero(trusted), again[trusted])), junk(source, made, rng), rng
        ):
            weighed = torch.from_numpy(weights)
            losses_now = _losses(net(*seen(changed(points, rng))), torch.from_numpy(label))
            loss = (losses_now * weighed).sum() / weighed.sum()
            chooser.zero_grad()
            loss.backward()
            chooser.step()
            pace.step()
            _follow(average, net)
            losses.append(loss.item())
        doubted = int((~trusted).sum())
        print(
            f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, {doubted} doubted, {time.monotonic() - began:.0f} s",
            flush=True,
        )
    average.eval()
    return average


def seen(points: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    """The net's two inputs for (batch, 64, 3)."""
    return torch.from_numpy(sequences(points)), torch.from_numpy(maps(points))


def logits(net: CharacterNet, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the net says of (n, 64, 3): (n, classes and "other")."""
    net.eval()
    with torch.no_grad():
        said = [net(*seen(points[start : start + 1024])).numpy() for start in range(0, len(points), 1024)]
    return np.concatenate(said)


def changed(points: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The same characters by another hand: turned, leant, stretched, bent, their strokes moved against each other."""
    batch = len(points)
    turn, lean = rng.normal(0, 0.12, batch), rng.normal(0, 0.15, batch)
    wide = np.exp(rng.normal(0, 0.15, batch))
    cos, sin = np.cos(turn), np.sin(turn)
    bend = np.stack([np.stack([cos * wide, lean - sin], 1), np.stack([sin, cos / wide], 1)], 1)
    out = points.copy()
    for row in np.flatnonzero(rng.random(batch) < _RESTYLED):
        out[row] = _restyled(out[row], rng)
    stroke = np.minimum(np.cumsum(out[:, :, 2] == 0, axis=1), 8) - 1
    out[:, :, :2] = np.einsum("bij,bnj->bni", bend, out[:, :, :2])
    knots = rng.normal(0, 0.035, (batch, 8, 2))
    at = np.linspace(0, 7, POINTS)
    low = np.minimum(at.astype(int), 6)
    share = (at - low)[None, :, None]
    out[:, :, :2] += knots[:, low] * (1 - share) + knots[:, low + 1] * share
    out[:, :, :2] += rng.normal(0, 0.05, (batch, 8, 2))[np.arange(batch)[:, None], stroke]
    return centred(out)


def _restyled(points: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The same ink (64, 3) written otherwise: few writers stand for all the ways to write an 8."""
    strokes = strokes_of(points)
    order = rng.permutation(len(strokes)) if rng.integers(2) else range(len(strokes))
    out, start = np.ones_like(points), 0
    for place in order:
        stroke = strokes[place]
        if np.hypot(*(stroke[-1] - stroke[0])) < _CLOSED and rng.integers(2):
            stroke = np.roll(stroke, int(rng.integers(len(stroke))), axis=0)
        out[start : start + len(stroke), :2] = stroke[::-1] if rng.integers(2) else stroke
        out[start, 2] = 0
        start += len(stroke)
    return out


def _batches(
    ink: ReaderInk, made: NDArray[np.float32], rng: np.random.Generator
) -> list[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]]:
    points = np.concatenate([ink.points, made])
    label = np.concatenate([ink.label, np.full(len(made), OTHER)])
    weights = np.ones((len(points), 2), np.float32)
    weights[: len(ink), 0] = ink.for_digits
    weights[: len(ink), 1] = ink.for_capitals
    order = rng.permutation(len(points))
    parts = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
    return [(points[rows], label[rows], weights[rows]) for rows in parts]


def _losses(said: Tensor, label: Tensor) -> Tensor:
    """(n, 2): how wrong each answer is to two questions: which digit or none, and which capital or none."""
    digits, capitals = len(DIGITS), len(CAPITALS)
    of_digits = torch.where(label < digits, label, digits)
    is_capital = (label >= digits) & (label < OTHER)
    of_capitals = torch.where(is_capital, label - digits, capitals)
    none = said[:, OTHER:]
    answers = (
        (torch.cat([said[:, :digits], none], 1), of_digits),
        (torch.cat([said[:, digits:OTHER], none], 1), of_capitals),
    )
    each = [nn.functional.cross_entropy(*one, reduction="none", label_smoothing=_SMOOTHING) for one in answers]
    return torch.stack(each, 1)


def _believable(net: CharacterNet, ink: ReaderInk) -> NDArray[np.bool_]:
    """Which samples the net does not find all but impossible in any question that they teach."""
    losses = _losses(torch.from_numpy(logits(net, ink.points)), torch.from_numpy(ink.label)).numpy()
    teaches = np.stack([ink.for_digits, ink.for_capitals], axis=1)
    believed: NDArray[np.bool_] = (~teaches | (np.exp(-losses) > _IMPOSSIBLE)).all(axis=1)
    return believed


def _follow(average: CharacterNet, net: CharacterNet) -> None:
    """Move the running average of the weights a little towards the net's."""
    with torch.no_grad():
        for slow, fast in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
            if slow.dtype.is_floating_point:
                slow.lerp_(fast, 1 - _KEEP_AVERAGE)
            else:
                slow.copy_(fast)
