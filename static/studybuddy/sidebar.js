// A chat's title changes where it stands; without script, or should that fail, the form goes its ordinary way.
const where = document.querySelector(".where:has([data-rename])");
const form = where?.querySelector("[data-rename]");

/** Shows a session's title wherever it stands on the page. */
export function setTitle(id, title) {
  for (const place of document.querySelectorAll(`[data-title-of="${id}"]`)) place.textContent = title;
  if (form?.dataset.rename === id) {
    document.title = `${title} · StudyBuddy`;
    if (form.hidden) form.elements.title.value = title;
  }
}

function edit(on) {
  form.hidden = !on;
  where.querySelector("[data-heading]").hidden = on;
  if (on) form.elements.title.select();
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const headers = { "HX-Request": "true" };
  const response = await fetch(form.action, { method: "POST", body: new FormData(form), headers }).catch(() => null);
  if (!response?.ok) return form.submit();
  edit(false);
  setTitle(form.dataset.rename, form.elements.title.value.trim() || "New chat");
});

form?.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  event.preventDefault();
  edit(false);
});

document.addEventListener("click", (event) => {
  if (!form || !event.target.closest("[data-rename-open]")) return;
  event.preventDefault();
  edit(true);
});
