"use strict";
// Keeps the page of the door and what it is made of, so that it opens where there is no network.
const KEPT = "conference-door-1";
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/v1/")) return;
  event.respondWith(
    (async () => {
      const cache = await caches.open(KEPT);
      try {
        const fresh = await fetch(event.request);
        if (fresh.ok) await cache.put(event.request, fresh.clone());
        return fresh;
      } catch (error) {
        const kept = await cache.match(event.request, { ignoreVary: true });
        if (kept) return kept;
        throw error;
      }
    })(),
  );
});
