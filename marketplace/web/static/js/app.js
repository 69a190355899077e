"use strict";
// What scripts add to pages that work without them: copying, menus that close, what to say when
// the exchange cannot be reached. Everything is found by attribute, also in parts htmx brings in.

const say = (element) => document.getElementById("toasts").append(element);
const SHOWN_MS = 8000;

function prepare(root) {
  for (const button of root.querySelectorAll("[data-copy][hidden]")) {
    button.hidden = !navigator.clipboard;
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    const text = document.getElementById(button.dataset.copy).textContent.trim();
    await navigator.clipboard.writeText(text);
    const label = button.querySelector("[data-label]");
    const before = label.textContent;
    label.textContent = button.dataset.done;
    setTimeout(() => (label.textContent = before), 2000);
  }
  event.target.closest("[data-dismiss]")?.closest(".toast").remove();
  const print = event.target.closest("[data-print]");
  if (print) window.print();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A form is sent once, however often its button is pressed; coming back to the page frees it.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || form.target) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
});
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const busy of document.querySelectorAll("[aria-busy]")) busy.removeAttribute("aria-busy");
});

const showNetwork = () => (document.getElementById("offline-bar").hidden = navigator.onLine);
window.addEventListener("online", showNetwork);
window.addEventListener("offline", showNetwork);

for (const kind of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(kind, () => {
    say(document.getElementById("toast-unreachable").content.cloneNode(true));
  });
}
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) {
      // What went wrong stays until it is closed.
      const stays = node.classList?.contains("toast--danger") ?? true;
      if (!stays) setTimeout(() => node.remove(), SHOWN_MS);
    }
  }
}).observe(document.getElementById("toasts"), { childList: true });

document.addEventListener("htmx:load", (event) => prepare(event.target));
prepare(document);
// On a phone the navigation may be wider than the window: what is open is in view.
for (const here of document.querySelectorAll(".nav [aria-current], .console__list [aria-current]")) {
  here.scrollIntoView({ block: "nearest", inline: "center" });
}
showNetwork();

if ("serviceWorker" in navigator && window.isSecureContext) {
  navigator.serviceWorker.register("/worker.js").catch(() => {});
}
