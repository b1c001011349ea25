import { load, other, paint, t } from "./words.js";

const asked = new URLSearchParams(location.search);

function show() {
  paint();
  document.title = `${t("login.title")} · ${t("app.title")}`;
  const button = document.querySelector("#language");
  button.setAttribute("aria-label", `${t("app.language")}: ${t("app.language_label")}`);
  const code = asked.get("said");
  if (["login.wrong", "login.locked", "login.needed"].includes(code)) {
    document.querySelector("#said").textContent = t(code, { n: Number(asked.get("n")) });
  }
}

document.querySelector("#language").addEventListener("click", async () => {
  await load(other());
  show();
});

await load();
show();
document.querySelector("#pin").focus();
