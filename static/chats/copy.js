// Copies an answer or a piece of code, and says so on the button itself.
async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS a browser gives no clipboard; this old way still works there.
    const field = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  const label = button.querySelector("span");
  const before = label.textContent;
  label.textContent = "Copied";
  const announcer = document.getElementById("announcer");
  if (announcer) announcer.textContent = "Copied";
  setTimeout(() => { label.textContent = before; }, 1600);
}

export function watchCopying(column) {
  column.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const figure = button.closest("figure.code");
    const turn = button.closest(".turn");
    const text = figure ? figure.querySelector("pre").textContent : turn.querySelector("[data-plain]").value;
    copy(text, button);
  });
  // Code comes without buttons from the server, which knows nothing of a clipboard.
  const dress = () => {
    for (const caption of column.querySelectorAll("figure.code > figcaption:not(:has(button))")) {
      caption.append(document.getElementById("copy-template").content.cloneNode(true));
    }
  };
  new MutationObserver(dress).observe(column, { childList: true, subtree: true });
  dress();
}
