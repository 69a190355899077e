"use strict";
// Shows the offline page when a page cannot be fetched. It keeps that page, as it was when the
// worker came, and the files it loads. Nothing personal is on it; all else goes to the network.

const SHELF = "offline-1";
const PAGE = "/offline";

async function refresh() {
  const page = await fetch(PAGE);
  if (!page.ok) return;
  const text = await page.clone().text();
  const files = [...text.matchAll(/(?:href|src)="(\/static\/[^"]+)"/g)].map((found) => found[1]);
  const shelf = await caches.open(SHELF);
  await shelf.put(PAGE, page);
  await shelf.addAll(files);
}

self.addEventListener("install", (event) => event.waitUntil(refresh()));
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate" && request.method === "GET") {
    event.respondWith(fetch(request).catch(() => caches.match(PAGE)));
  } else if (new URL(request.url).pathname.startsWith("/static/")) {
    event.respondWith(fetch(request).catch(() => caches.match(request)));
  }
});
