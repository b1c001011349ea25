// One answer's ink in a small picture: the field's print, and the strokes as the stack tells them.

import { drawStroke, fit, sized } from "./ink.js";
import { drawPrint } from "./sheet.js";

const MARGIN_MM = 2;
const WIDEST = 2.2;
const FORCE = 0.5;

const toDots = (line) => line.flatMap((_, i) => (i % 2 ? [] : [line[i] / 100, line[i + 1] / 100, FORCE, 0]));

/** The part of the page to show: the field, or of a wide one the part around the ink. */
function regionOf({ box_mm: box }, strokes) {
  let [left, top, right, bottom] = box;
  const xs = strokes.flatMap(({ dots }) => dots.filter((_, i) => i % 4 === 0));
  const ys = strokes.flatMap(({ dots }) => dots.filter((_, i) => i % 4 === 1));
  if (xs.length) {
    const widest = (bottom - top) * WIDEST;
    const [from, to] = [Math.min(...xs), Math.max(...xs)];
    if (right - left > widest && to - from < widest) {
      left = Math.max(left, (from + to - widest) / 2);
      right = Math.min(right, left + widest);
    }
    [left, right] = [Math.min(left, from), Math.max(right, to)];
    [top, bottom] = [Math.min(top, ...ys), Math.max(bottom, ...ys)];
  }
  return [left - MARGIN_MM, top - MARGIN_MM, right + MARGIN_MM, bottom + MARGIN_MM];
}

export function paintInk(canvas, field, ink, colors) {
  const area = sized(canvas, colors.ink);
  if (!area) return;
  const strokes = ink.strokes.map((line) => ({ dots: toDots(line) }));
  const place = fit(regionOf(field, strokes), area.width, area.height);
  drawPrint(area.context, place, [field], colors.print, colors.mute, area.ratio);
  for (const stroke of strokes) drawStroke(area.context, place, stroke, 0, stroke.dots.length / 4, area.ratio);
}
