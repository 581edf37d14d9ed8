// What every page has: the theme, menus that close, dialogs, and the keys.
const root = document.documentElement;

/** Sets the theme now and for later visits. The server reads the cookie, so no page flashes in the other one. */
function setTheme(theme) {
  root.dataset.theme = theme;
  const age = theme === "system" ? 0 : 31536000;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `theme=${theme}; Path=/; Max-Age=${age}; SameSite=Lax${secure}`;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-theme-form] input")) setTheme(event.target.value);
});

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target) || event.target.closest("a, button")) menu.open = false;
  }
  const opener = event.target.closest("[data-dialog]");
  if (opener) document.getElementById(opener.dataset.dialog)?.showModal();
  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  if (event.target instanceof HTMLDialogElement) event.target.close(); // its backdrop
});

// A chat's menu comes as a dialog's content.
document.addEventListener("htmx:afterSwap", ({ target }) => { if (target.id === "chat-menu") target.showModal(); });

// What stands in a live region from the start is not read out: what was deleted is said anew.
const said = document.querySelector(".toast [role=status]");
if (said) {
  const { textContent } = said;
  said.textContent = "";
  setTimeout(() => { said.textContent = textContent; }, 100);
}

const editable = (element) => element.closest?.("input, textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  const open = document.querySelector("details.menu[open]");
  if (event.key === "Escape" && open) {
    open.open = false;
    open.querySelector("summary").focus();
    event.preventDefault();
  } else if ((event.ctrlKey || event.metaKey) && event.key === "k") {
    const field = document.getElementById("search");
    if (!field) return;
    event.preventDefault();
    const rail = document.getElementById("rail");
    if (getComputedStyle(rail).display === "none") rail.showPopover();
    field.focus();
  } else if (event.altKey && event.code === "KeyN") {
    event.preventDefault();
    location.assign("/chats");
  } else if (event.key === "?" && !editable(event.target)) {
    document.getElementById("keys")?.showModal();
  }
});

// Whoever signs out leaves no drafts behind on this machine; an expired sign-in keeps them.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[action$='/accounts/logout/'], form[action$='/accounts/logout']")) return;
  for (const key of Object.keys(localStorage)) if (key.startsWith("studybuddy.")) localStorage.removeItem(key);
});
