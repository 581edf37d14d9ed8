import { Composer } from "./composer.js";

// A new chat: the form goes its ordinary way; the draft is cleared once the question has arrived.
const form = document.getElementById("composer");
if (form) {
  const composer = new Composer(form, (text) => {
    sessionStorage.setItem("studybuddy.posted", JSON.stringify({ draft: "new", text }));
    return undefined;
  });
  composer.focus();
  document.addEventListener("change", (event) => {
    // The questions to begin with belong to the chosen course.
    if (!event.target.matches("[data-course]")) return;
    htmx.ajax("GET", `/chats?course=${event.target.value}`, { target: "#examples", select: "#examples", swap: "outerHTML" });
  });
}
