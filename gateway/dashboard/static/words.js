// The catalogue in the page's language. Nothing else in these files is a sentence.

const LANGUAGES = ["zh-CN", "en"];
const MARK = /\{(\w+)\}/g;

let catalogue = {};
let plural = new Intl.PluralRules("zh-CN");

export let language = remembered();

function remembered() {
  const chosen = localStorage.getItem("language");
  if (LANGUAGES.includes(chosen)) return chosen;
  return navigator.language.startsWith("zh") ? "zh-CN" : "en";
}

export async function load(wanted = language) {
  const answer = await fetch(`/words/${wanted}.json`);
  catalogue = await answer.json();
  language = wanted;
  plural = new Intl.PluralRules(wanted);
  localStorage.setItem("language", wanted);
  document.documentElement.lang = wanted;
}

export const other = () => LANGUAGES.find((one) => one !== language);

export const has = (code) => code in catalogue || `${code}_other` in catalogue;

/** The sentence of a code. `n` chooses its plural; a code without a sentence is shown as it is. */
export function t(code, params = {}) {
  const text =
    catalogue[code] ??
    catalogue[`${code}_${plural.select(params.n ?? 0)}`] ??
    catalogue[`${code}_other`] ??
    code;
  return text.replace(MARK, (whole, name) => params[name] ?? whole);
}

/** One of several languages' texts, as sheets carry them. */
export const local = (texts) => texts?.[language] ?? texts?.[""] ?? Object.values(texts ?? {})[0] ?? "";

export function clock(ms, { seconds = true } = {}) {
  const shape = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (seconds) shape.second = "2-digit";
  return new Date(ms).toLocaleTimeString(language, shape);
}

/** Put words on everything that names a code in its markup. */
export function paint(root = document) {
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
}
