// All ink of the lesson, by seat, and how a stroke is drawn. Strokes hold x mm, y mm, force 0..1, ms since the dot before.

import { LIVE, SNAPSHOT_BEGINS, SNAPSHOT_ENDS } from "./frames.js";

const THINNEST_PX = 1.5;
const PEN_MM = 0.45;

export class Ink {
  seats = new Map();
  seq = null;
  open = new Map();
  filling = false;

  strokes(seat) {
    return this.seats.get(seat) ?? [];
  }

  /** Take a frame. Returns "gap" if a snapshot is needed, "all" if everything is new, else what was added. */
  apply(frame) {
    if (frame.kind === LIVE) {
      if (this.filling) return [];
      if (this.seq === null || frame.before > this.seq) return "gap";
      if (frame.seq <= this.seq) return [];
      this.seq = frame.seq;
      return frame.chunks.map((chunk) => this.add(chunk));
    }
    if (frame.kind === SNAPSHOT_BEGINS) {
      this.seats.clear();
      this.open.clear();
      this.filling = true;
    }
    for (const chunk of frame.chunks) this.add(chunk);
    if (frame.kind !== SNAPSHOT_ENDS) return [];
    this.seq = frame.seq;
    this.filling = false;
    return "all";
  }

  add(chunk) {
    let stroke = chunk.first ? null : this.open.get(chunk.seat);
    let from = 0;
    if (stroke) {
      from = stroke.dots.length / 4;
      for (const value of chunk.dots) stroke.dots.push(value);
    } else {
      stroke = { page: chunk.page, atMs: chunk.atMs, dots: chunk.dots };
      if (!this.seats.has(chunk.seat)) this.seats.set(chunk.seat, []);
      this.seats.get(chunk.seat).push(stroke);
    }
    if (!chunk.ended) this.open.set(chunk.seat, stroke);
    else if (this.open.get(chunk.seat) === stroke) this.open.delete(chunk.seat);
    return { seat: chunk.seat, stroke, from };
  }
}

/** Where millimetres fall on a canvas: `scale` px a mm, and the mm at its left top corner. */
export function fit(region, width, height) {
  const [left, top, right, bottom] = region;
  const scale = Math.min(width / (right - left), height / (bottom - top));
  return {
    scale,
    left: left - (width / scale - (right - left)) / 2,
    top: top - (height / scale - (bottom - top)) / 2,
  };
}

/** Draw the dots of a stroke from `from` up to `until`, joined to the dot before. A lone dot is a round spot. */
export function drawStroke(context, place, stroke, from = 0, until = stroke.dots.length / 4, ratio = 1) {
  const { dots } = stroke;
  const { scale, left, top } = place;
  const thinnest = THINNEST_PX * ratio;
  const at = (i) => [(dots[4 * i] - left) * scale, (dots[4 * i + 1] - top) * scale];
  const width = (i) => Math.max(thinnest, PEN_MM * scale * (0.55 + 0.75 * dots[4 * i + 2]));
  if (from === 0 && until > 0) {
    const [x, y] = at(0);
    context.beginPath();
    context.arc(x, y, width(0) / 2, 0, 2 * Math.PI);
    context.fill();
  }
  for (let i = Math.max(1, from); i < until; i += 1) {
    context.lineWidth = width(i);
    context.beginPath();
    context.moveTo(...at(i - 1));
    context.lineTo(...at(i));
    context.stroke();
  }
}

/** Give a canvas the pixels of its place on the screen. Returns its context, or null while it has no place. */
export function sized(canvas, color) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (!width || !height) return null;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  context.lineCap = "round";
  context.lineJoin = "round";
  context.strokeStyle = color;
  context.fillStyle = color;
  return { context, width, height, ratio };
}

export const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
