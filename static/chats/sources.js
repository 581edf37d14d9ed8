// A citation opens its passage beside the conversation; where that fails, its link opens the document.
const roomy = matchMedia("(min-width: 56.01rem)");

export function watchSources(column) {
  const panel = document.getElementById("sources");
  let opener = null;

  async function open(link, turn) {
    const marker = link.dataset.marker;
    const response = await fetch(`${location.pathname}/messages/${turn.dataset.messageId}/sources`);
    if (!response.ok) return location.assign(link.href);
    document.getElementById("sources-body").innerHTML = await response.text();
    opener?.setAttribute("aria-expanded", "false");
    opener = link;
    link.setAttribute("aria-expanded", "true");
    if (!panel.open) { if (roomy.matches) panel.show(); else panel.showModal(); }
    const passage = panel.querySelector(`[data-marker="${CSS.escape(marker)}"]`);
    passage?.classList.add("current");
    passage?.scrollIntoView({ block: "start" });
    panel.querySelector("[data-close]").focus();
  }

  column.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-marker]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    open(link, link.closest(".turn")).catch(() => location.assign(link.href));
  });
  panel.addEventListener("close", () => {
    opener?.setAttribute("aria-expanded", "false");
    if (opener?.isConnected) opener.focus();
  });
  panel.addEventListener("keydown", (event) => { if (event.key === "Escape") panel.close(); });
}
