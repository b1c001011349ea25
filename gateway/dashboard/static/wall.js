// The ink wall: a tile a seat, fitted to the window; only new segments are drawn.

import { el, setText } from "./dom.js";
import { color, drawStroke, fit, sized } from "./ink.js";
import { around, drawPrint, holds } from "./sheet.js";
import { has, local, t } from "./words.js";

export const MARKS = {
  writing: "✎",
  paused: "‖",
  still: "◔",
  waiting: "○",
  done: "✓",
  ask: "?",
  gap: "⚠",
  connecting: "…",
  down: "⚠",
};
const SHAPE = 1.6;
const PHONE_PX = 700;
const LEAST_TILE_PX = 84;

function cureOf({ code, params }) {
  return has(`${code}.cure`) ? t(`${code}.cure`, params).replace(/\p{P}?\s*`[^`]*`/gu, "") : "";
}

class Tile {
  constructor(seat) {
    this.seat = seat;
    this.canvas = el("canvas");
    this.where = el("span", { class: "where", "aria-hidden": "true" });
    this.cure = el("span", { class: "cure-here" });
    this.number = el("b");
    this.name = el("span", { class: "name" });
    this.mark = el("span", { class: "mark", "aria-hidden": "true" });
    this.word = el("span");
    this.bar = el("span", { class: "fill" });
    this.progress = el("span", { class: "hidden-text" });
    this.node = el(
      "a",
      { class: "tile", href: `#seat-${seat}` },
      el("span", { class: "ink" }, this.canvas, this.where, this.cure),
      el("span", { class: "progress", "aria-hidden": "true" }, this.bar),
      el("span", { class: "foot" }, this.number, this.name, el("span", { class: "state" }, this.mark, this.word), this.progress),
    );
    this.shown = null;
  }

  /** What to show of this seat: its region of the page and the strokes on it. */
  look(wall) {
    const strokes = wall.ink.strokes(this.seat);
    const newest = strokes.at(-1);
    const { sheet } = wall;
    if (wall.mode === "page") {
      const page = newest?.page ?? 0;
      const written = strokes.filter((stroke) => stroke.page === page);
      return { page, region: sheet.used(page, written), label: "" };
    }
    let field = sheet.field(wall.mode);
    let stroke = newest;
    if (field) stroke = strokes.findLast((one) => one.page === field.page && sheet.fieldOf(one) === field);
    else if (newest) field = sheet.fieldOf(newest) ?? this.shown?.field ?? null;
    if (!field) return { page: newest?.page ?? 0, region: sheet.whole(newest?.page ?? 0), label: "" };
    if (this.shown?.field === field && stroke && holds(this.shown.region, stroke)) return this.shown;
    return { page: field.page, field, region: around(field, stroke), label: wall.mode === "now" ? field.label : "" };
  }

  redraw(wall) {
    const look = this.look(wall);
    this.shown = look;
    setText(this.where, look.label ? t("wall.question", { label: look.label }) : "");
    const area = sized(this.canvas, wall.inkColor);
    if (!area) return;
    this.ratio = area.ratio;
    this.context = area.context;
    this.place = fit(look.region, area.width, area.height);
    if (wall.ink.strokes(this.seat).length || (wall.mode !== "now" && !this.cure.textContent)) {
      const boxes = wall.sheet.pages[look.page]?.boxes ?? [];
      drawPrint(area.context, this.place, boxes, wall.printColor, wall.textColor, area.ratio);
    }
    for (const stroke of wall.ink.strokes(this.seat)) {
      if (stroke.page === look.page) drawStroke(area.context, this.place, stroke, 0, stroke.dots.length / 4, area.ratio);
    }
  }

  add(wall, stroke, from) {
    const look = this.shown ? this.look(wall) : null;
    if (!this.context || look !== this.shown) {
      const same = this.context && look && this.shown && String(look.region) === String(this.shown.region);
      if (!same || look.page !== this.shown.page) {
        this.redraw(wall);
        return;
      }
    }
    if (stroke.page === this.shown.page) drawStroke(this.context, this.place, stroke, from, stroke.dots.length / 4, this.ratio);
  }

  tell(tile) {
    this.told = tile;
    this.node.dataset.state = tile.state;
    const state = t(`tile.${tile.state}`);
    const reason = tile.state === "down" ? t(tile.why.code, tile.why.params) : "";
    const word = reason ? t(`word.${tile.why.code}`) : state;
    setText(this.number, String(tile.seat));
    setText(this.name, tile.name);
    setText(this.mark, MARKS[tile.state]);
    setText(this.word, reason && word === `word.${tile.why.code}` ? state : word);
    this.bar.style.width = `${tile.fields ? (100 * (tile.answered + tile.unsure)) / tile.fields : 0}%`;
    setText(this.progress, ` ${t("tile.progress_long", { n: tile.answered, total: tile.fields })}`);
    this.node.title = reason;
    setText(this.cure, reason && !tile.answered && !tile.unsure ? cureOf(tile.why) : "");
  }
}

export class Wall {
  constructor(node, ink) {
    this.node = node;
    this.ink = ink;
    this.sheet = null;
    this.mode = "now";
    this.tiles = new Map();
    this.counts = el("p", { id: "counts", role: "status" });
    this.choose = el("select", { id: "show", onchange: () => this.show(this.choose.value) });
    this.chooseLabel = el("label", { for: "show" });
    this.check = el("a", { class: "button", href: "#check", hidden: true });
    this.bar = el("div", { class: "bar" }, this.counts, this.check, el("span", { class: "chooser" }, this.chooseLabel, this.choose));
    this.help = el("div", { class: "help" });
    this.empty = el("div", { class: "empty", hidden: true });
    this.grid = el("div", { class: "grid", role: "group" });
    node.append(this.bar, this.help, this.empty, this.grid);
    this.recolor();
    new ResizeObserver(() => this.lay()).observe(node);
    new ResizeObserver(() => this.redraw()).observe(this.grid);
  }

  recolor() {
    this.inkColor = color("--ink");
    this.printColor = color("--print");
    this.textColor = color("--mute");
  }

  show(mode) {
    this.mode = mode;
    this.redraw();
  }

  onInk(added) {
    if (this.node.hidden) return;
    if (added === "all") this.redraw();
    else for (const { seat, stroke, from } of added) this.tiles.get(seat)?.add(this, stroke, from);
  }

  redraw() {
    if (!this.sheet || this.node.hidden) return;
    for (const tile of this.tiles.values()) tile.redraw(this);
  }

  onSeats(message) {
    const known = [...this.tiles.keys()].join();
    if (known !== message.tiles.map((tile) => tile.seat).join()) {
      this.tiles = new Map(message.tiles.map((tile) => [tile.seat, new Tile(tile.seat)]));
      this.grid.replaceChildren(...[...this.tiles.values()].map((tile) => tile.node));
      this.lay();
      this.redraw();
    }
    for (const tile of message.tiles) this.tiles.get(tile.seat).tell(tile);
    const said = Object.entries(message.counts).filter(([, n]) => n > 0);
    setText(this.counts, said.map(([state, n]) => t(`counts.${state}`, { n })).join(t("counts.join")));
  }

  onLesson(box) {
    this.check.hidden = box.unsure === 0;
    setText(this.check, t("wall.check", { n: box.unsure }));
    const none = box.class_size === 0 ? "class" : box.lesson ? null : "lesson";
    this.empty.hidden = none === null;
    this.grid.hidden = none !== null;
    this.node.classList.toggle("idle", none !== null);
    this.bar.hidden = none !== null;
    if (none === "class") {
      this.empty.replaceChildren(
        el("h2", {}, t("class.none")),
        el("p", {}, t("class.import_how")),
        el("p", {}, el("code", {}, t("class.command"))),
        el("p", {}, t("class.import_then")),
      );
    } else if (none === "lesson") {
      this.empty.replaceChildren(
        el("h2", {}, t("lesson.none")),
        el("p", {}, t("lesson.start_how")),
        el("p", {}, el("code", {}, t("lesson.command"))),
        el("p", {}, t("lesson.start_then", { n: box.pens_linked, total: box.class_size })),
        el("p", {}, el("a", { class: "button", href: "#pens" }, t("lesson.look_at_pens"))),
      );
    }
    this.lay();
  }

  onQuestions(message) {
    setText(this.chooseLabel, t("wall.show"));
    const options = [
      ["now", t("wall.now")],
      ["page", t("wall.page")],
      ...message.questions.map((question) => {
        const label = this.sheet?.field(question.field)?.label ?? question.field;
        const n = question.bars.reduce((sum, bar) => sum + bar.count, 0) + question.unsure;
        const told = t("wall.question_done", { label, n, total: message.class_size });
        return [question.field, `${told}  ${local(question.prompt)}`];
      }),
    ];
    const now = options.map((option) => option.join()).join(";");
    if (now !== this.optioned) {
      this.optioned = now;
      this.choose.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
      this.choose.value = options.some(([value]) => value === this.mode) ? this.mode : "now";
      this.mode = this.choose.value;
    }
  }

  paint() {
    this.grid.setAttribute("aria-label", t("wall.label"));
    this.optioned = null;
  }

  /** As many columns as make the tiles largest; two on a phone. */
  lay() {
    const count = this.tiles.size;
    const width = this.grid.clientWidth;
    if (!count || !width || this.node.hidden) return;
    if (width < PHONE_PX) {
      this.place("repeat(2, minmax(0, 1fr))", "132px");
      return;
    }
    const height = window.innerHeight - this.grid.getBoundingClientRect().top - window.scrollY - 8;
    const gap = 6;
    let best = { size: 0, columns: 8 };
    for (let columns = 1; columns <= 12; columns += 1) {
      const rows = Math.ceil(count / columns);
      const size = Math.min((width - gap * (columns - 1)) / columns / SHAPE, (height - gap * (rows - 1)) / rows);
      if (size > best.size) best = { size, columns };
    }
    const rows = Math.ceil(count / best.columns);
    const tall = Math.max(LEAST_TILE_PX, Math.floor((height - gap * (rows - 1)) / rows));
    this.place(`repeat(${best.columns}, minmax(0, 1fr))`, `${tall}px`);
  }

  place(columns, rows) {
    const { style } = this.grid;
    const now = `${columns} ${rows} ${this.grid.clientWidth}`;
    if (now === this.placed) return;
    this.placed = now;
    style.gridTemplateColumns = columns;
    style.gridAutoRows = rows;
    this.redraw();
  }
}
