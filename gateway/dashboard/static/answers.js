// The answers: a card a question, a bar an answer; unsure, nothing yet and ink missing have bars of their own.

import { el, svg } from "./dom.js";
import { local, t } from "./words.js";

const REST = [
  ["unsure", "?"],
  ["nothing_yet", "○"],
  ["not_captured", "⚠"],
  ["no_pen", "⚠"],
  ["on_paper", "✎"],
];

function row(kind, mark, label, count, total, note) {
  const said = t("answers.bar", { value: note ? `${label}, ${note}` : label, n: count, total });
  const drawing = svg(
    "svg",
    { viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img", "aria-label": said },
    svg("rect", { class: "trough", width: 100, height: 10 }),
    svg("rect", { class: "value", width: total ? (100 * count) / total : 0, height: 10 }),
  );
  return el(
    "li",
    { class: `count ${kind}${count ? "" : " zero"}` },
    el("span", { class: "label" }, label),
    drawing,
    el("b", {}, String(count)),
    el("span", { class: "mark", "aria-hidden": "true" }, count ? mark : ""),
  );
}

function card(question, total, sheet) {
  const label = sheet?.field(question.field)?.label ?? question.field;
  const rows = question.bars.map((bar) => {
    const kind = bar.right === null ? "plain" : bar.right ? "right" : "wrong";
    const note = bar.right === null ? "" : t(`answers.${kind}`);
    return row(kind, { right: "✓", wrong: "✗", plain: "" }[kind], bar.value || t("answers.empty"), bar.count, total, note);
  });
  const rest = REST.filter(([name]) => ["unsure", "nothing_yet", "not_captured"].includes(name) || question[name] > 0).map(
    ([name, mark]) => row(name, mark, t(`answers.${name}`), question[name], total),
  );
  const given = question.bars.reduce((sum, bar) => sum + bar.count, 0);
  return el(
    "article",
    { class: "card" },
    el("h2", {}, el("span", { class: "number" }, t("answers.question", { label })), " ", local(question.prompt)),
    el(
      "p",
      { class: "mute" },
      question.key === null ? t("answers.no_key") : t("answers.key", { value: question.key }),
      " · ",
      t("answers.given", { n: given }),
      " · ",
      t("answers.of_class", { total }),
    ),
    el("ul", { class: "counts", "aria-label": t("answers.bars", { label }) }, ...rows, ...rest),
  );
}

export class Answers {
  constructor(node) {
    this.node = node;
    this.help = el("div", { class: "help" });
    this.list = el("div", { class: "cards" });
    node.append(this.help, this.list);
  }

  draw(message, sheet) {
    if (!message || this.node.hidden) return;
    const cards = message.questions.map((question) => card(question, message.class_size, sheet));
    this.list.replaceChildren(...(cards.length ? cards : [el("p", { class: "empty" }, t("answers.none"))]));
  }
}
