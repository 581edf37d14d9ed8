// Whoever comes from a citation begins at its passage, unless the address names another place.
const reader = document.querySelector("[data-anchor]");
if (!location.hash) document.getElementById(reader.dataset.anchor)?.scrollIntoView({ block: "start" });
