// The pens: a seat map, and for each seat why it is silent, in one sentence with its cure.

import { el, said, setText } from "./dom.js";
import { MARKS } from "./wall.js";
import { clock, has, t } from "./words.js";

const FAIR_DBM = -78;
const STRONG_DBM = -62;
const LOW_PERCENT = 15;

const RANK = { down: 0, connecting: 1, live: 2 };
const troubled = (tile) => tile.link !== "live" || tile.why.code !== "ok" || tile.not_captured > 0 || tile.missing.length > 0 || tile.in_pen > 0;

function why(tile) {
  const { code, params } = tile.why;
  const parts = [...said(t(code, params))];
  if (has(`${code}.cure`)) parts.push(" ", el("span", { class: "cure" }, ...said(t(`${code}.cure`, params))));
  if (tile.in_pen) parts.push(" ", t("pens.in_pen", { n: tile.in_pen }));
  if (tile.missing.length) parts.push(" ", t("pens.missing", { questions: tile.missing.join(t("pens.missing_join")) }));
  return parts;
}

function signal(dbm) {
  if (dbm === null) return t("pens.unknown");
  const word = dbm >= STRONG_DBM ? "strong" : dbm >= FAIR_DBM ? "fair" : "weak";
  return t("pens.dbm", { word: t(`pens.${word}`), n: dbm });
}

function battery(tile) {
  if (tile.battery === null) return t("pens.unknown");
  return t(tile.charging ? "pens.charging" : "pens.percent", { n: tile.battery });
}

function word(tile) {
  if (tile.link === "live") return t("pens.word_ok");
  return t(has(`word.${tile.why.code}`) ? `word.${tile.why.code}` : `pens.word_${tile.link}`);
}

function line(tile) {
  return el(
    "tr",
    { "data-link": tile.link, class: troubled(tile) ? "trouble" : null },
    el("th", { scope: "row" }, el("b", {}, String(tile.seat)), " ", tile.name),
    el("td", {}, tile.pen ?? t("pens.unknown")),
    el(
      "td",
      {},
      el("span", { class: "state" }, el("span", { "aria-hidden": "true" }, tile.link === "live" ? "● " : `${MARKS[tile.link]} `), word(tile)),
      el("span", { class: "why" }, ...why(tile)),
    ),
    el("td", { class: tile.battery !== null && tile.battery <= LOW_PERCENT ? "low" : null }, battery(tile)),
    el("td", { class: "wide" }, tile.adapter ?? t("pens.unknown")),
    el("td", { class: "wide" }, signal(tile.signal_dbm)),
  );
}

export class Pens {
  constructor(node) {
    this.node = node;
    this.help = el("div", { class: "help" });
    this.summary = el("p", { class: "big", role: "status" });
    this.joining = el("p", { class: "joining" });
    this.map = el("ol", { class: "map" });
    this.table = el("table");
    node.append(this.help, this.summary, this.joining, this.map, this.table);
  }

  draw(message, box) {
    if (!message || !box || this.node.hidden) return;
    const tiles = [...message.tiles].sort(
      (a, b) => troubled(b) - troubled(a) || RANK[a.link] - RANK[b.link] || a.seat - b.seat,
    );
    const live = tiles.filter((tile) => tile.link === "live").length;
    const troubles = tiles.filter(troubled).length;
    setText(
      this.summary,
      `${t("pens.summary", { n: live, total: tiles.length })} · ${troubles ? t("pens.troubles", { n: troubles }) : t("pens.all_well")}`,
    );
    this.joining.hidden = box.join_until_ms === null;
    if (box.join_until_ms !== null) setText(this.joining, t("pens.joining", { time: clock(box.join_until_ms, { seconds: false }) }));
    const now = JSON.stringify(tiles);
    if (now === this.drawn) return;
    this.drawn = now;
    this.map.setAttribute("aria-label", t("pens.label"));
    this.map.replaceChildren(
      ...message.tiles.map((tile) => {
        const mark = tile.link === "live" ? (troubled(tile) ? "!" : "●") : MARKS[tile.link];
        return el(
          "li",
          { "data-link": tile.link, class: troubled(tile) ? "trouble" : null, title: `${tile.name} ${t(tile.why.code, tile.why.params)}` },
          el("b", {}, String(tile.seat)),
          el("span", { "aria-hidden": "true" }, mark),
          el("span", { class: "hidden-text" }, word(tile)),
        );
      }),
    );
    const heads = [
      ["seat"],
      ["pen"],
      ["state"],
      ["battery"],
      ["adapter", "wide"],
      ["signal", "wide"],
    ].map(([name, kind]) => el("th", { scope: "col", class: kind }, t(`pens.${name}`)));
    this.table.replaceChildren(
      el("caption", { class: "hidden-text" }, t("pens.label")),
      el("thead", {}, el("tr", {}, ...heads)),
      el("tbody", {}, ...tiles.map(line)),
    );
  }

  repaint() {
    this.drawn = null;
  }
}
