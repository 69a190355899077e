"use strict";
// Adds the camera to the till where the browser can read QR codes itself; typing works without.
(async () => {
  const start = document.getElementById("scan");
  const stop = document.getElementById("scan-stop");
  const view = document.getElementById("camera");
  const field = document.getElementById("code");
  const failed = document.getElementById("scan-failed");
  if (!start || !("BarcodeDetector" in window) || !navigator.mediaDevices) return;
  const formats = await window.BarcodeDetector.getSupportedFormats();
  if (!formats.includes("qr_code")) return;
  const detector = new window.BarcodeDetector({ formats: ["qr_code"] });
  const BETWEEN_LOOKS_MS = 150;
  let stream = null;
  start.hidden = false;

  const end = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    view.hidden = stop.hidden = true;
    start.hidden = false;
  };

  const look = async () => {
    if (!stream) return;
    try {
      const [found] = await detector.detect(view);
      if (found?.rawValue) {
        field.value = found.rawValue.slice(0, 64);
        end();
        field.form.requestSubmit();
        return;
      }
    } catch {
      // The first picture is not there yet: look again.
    }
    setTimeout(look, BETWEEN_LOOKS_MS);
  };

  start.addEventListener("click", async () => {
    failed.hidden = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      failed.hidden = false;
      field.focus();
      return;
    }
    view.srcObject = stream;
    view.hidden = stop.hidden = false;
    start.hidden = true;
    await view.play();
    stop.focus();
    look();
  });
  stop.addEventListener("click", () => {
    end();
    start.focus();
  });
  window.addEventListener("pagehide", end);
})();
