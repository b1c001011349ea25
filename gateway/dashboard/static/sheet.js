// What is printed on the lesson's sheet, and which part of it a tile shows.

const NEAR_MM = 6;
const MARGIN_MM = 3;
const AROUND_MM = 15;
const LEAST_LETTER_PX = 7;
const WIDEST = 2;

export class Sheet {
  constructor(lesson) {
    this.id = lesson?.id ?? null;
    this.pages = lesson?.pages ?? [];
    this.fields = this.pages.flatMap((page, index) => page.boxes.map((box) => ({ ...box, page: index })));
  }

  field(id) {
    return this.fields.find((field) => field.field === id) ?? null;
  }

  /** The field that a stroke begins in, or nearest to; null for a note beside everything. */
  fieldOf(stroke) {
    let best = null;
    let least = NEAR_MM;
    for (const field of this.fields) {
      if (field.page !== stroke.page) continue;
      const distance = away(field.box_mm, stroke.dots[0], stroke.dots[1]);
      if (distance < least) [best, least] = [field, distance];
      if (distance === 0) break;
    }
    return best;
  }

  /** The part of a page that is printed or written on, over its whole width. */
  used(index, strokes) {
    const page = this.pages[index];
    if (!page) return this.whole(index);
    const edges = page.boxes.flatMap((box) => [box.box_mm[1], box.box_mm[3]]);
    for (const { dots } of strokes) for (let i = 1; i < dots.length; i += 4) edges.push(dots[i]);
    const least = edges.reduce((a, b) => Math.min(a, b), page.height_mm);
    const most = edges.reduce((a, b) => Math.max(a, b), 0);
    return [0, Math.max(0, least - AROUND_MM), page.width_mm, Math.min(page.height_mm, most + AROUND_MM)];
  }

  whole(index) {
    const page = this.pages[index] ?? { width_mm: 210, height_mm: 297 };
    return [0, 0, page.width_mm, page.height_mm];
  }
}

function away([left, top, right, bottom], x, y) {
  return Math.hypot(Math.max(left - x, 0, x - right), Math.max(top - y, 0, y - bottom));
}

/** The part of a page around a field; a field too wide for a tile is shown where `stroke` is. */
export function around(field, stroke) {
  let [left, , right] = field.box_mm;
  const [, top, , bottom] = field.box_mm;
  const widest = (bottom - top) * WIDEST;
  if (stroke && right - left > widest) {
    const start = Math.min(Math.max(stroke.dots[0] - widest / 2, left), right - widest);
    [left, right] = [start, start + widest];
  }
  return [left - MARGIN_MM, top - MARGIN_MM, right + MARGIN_MM, bottom + MARGIN_MM];
}

export const holds = ([left, top, right, bottom], stroke) =>
  stroke.dots[0] >= left && stroke.dots[0] <= right && stroke.dots[1] >= top && stroke.dots[1] <= bottom;

/** Draw the printed boxes of a page. */
export function drawPrint(context, place, boxes, color, textColor, ratio = 1) {
  context.save();
  context.strokeStyle = color;
  context.fillStyle = textColor;
  context.lineWidth = ratio;
  const frame = ([left, top, right, bottom]) => {
    const { scale } = place;
    context.strokeRect((left - place.left) * scale, (top - place.top) * scale, (right - left) * scale, (bottom - top) * scale);
  };
  for (const box of boxes) {
    frame(box.box_mm);
    context.font = `${4 * place.scale}px system-ui, sans-serif`;
    for (const [value, mark] of box.marks) {
      frame(mark);
      if (4 * place.scale < LEAST_LETTER_PX * ratio) continue;
      context.textBaseline = "middle";
      context.fillText(value, (mark[2] + 1.5 - place.left) * place.scale, ((mark[1] + mark[3]) / 2 - place.top) * place.scale);
    }
  }
  context.restore();
}
