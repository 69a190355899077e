"use strict";
// The door: reads tickets, answers at once, and works on without a network. What it scans is kept
// on the device until the marketplace has answered for it; a nonce makes sure it is counted once.
(async () => {
  const root = document.getElementById("door");
  if (!root) return;
  const words = root.dataset;
  const part = (id) => document.getElementById(id);
  const STORE = "conference.door.";
  const PATIENCE_MS = 2500;
  const MOST_AT_ONCE = 200;
  const SAME_AGAIN_MS = 4000;
  const MOST_SHOWN = 20;
  const read = (name, or) => JSON.parse(localStorage.getItem(STORE + name) ?? "null") ?? or;
  const write = (name, value) => localStorage.setItem(STORE + name, JSON.stringify(value));

  // -- who we are ------------------------------------------------------------------------------
  // A new link for this device, opened in the tab that shows the door already, loads nothing.
  addEventListener("hashchange", () => location.reload());
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    if (given !== read("key", "")) ["list", "mine", "session"].forEach((n) => write(n, null));
    write("key", given);
    history.replaceState(null, "", location.pathname);
  }
  const key = read("key", "");
  if (!key) {
    part("door-stranger").hidden = false;
    return;
  }
  if ("serviceWorker" in navigator)
    navigator.serviceWorker.register("/conference/door/worker.js", { scope: "/conference/door" });

  let list = read("list", null);
  let queue = read("queue", []);
  let mine = read("mine", {}); // Ticket by ticket, when this door let it in since the last list.
  let online = true;
  let shown = null; // Nonce of the answer on the screen.
  let refused = false; // A key that was withdrawn stays so: nobody is asked again.
  const byId = new Map();
  const parts = new Map(); // Sessions by id.
  const index = () => {
    byId.clear();
    parts.clear();
    for (const each of list?.sessions ?? []) parts.set(each.id, each);
    for (const each of list?.tickets ?? []) byId.set(each.id, each);
  };

  // What the clock of this device lacks, as the marketplace said last: a door opens by the latter's.
  // No clock that was set back meanwhile makes it earlier than what is known already.
  let skew = read("skew", 0);
  let told = false; // Whether that was said since there was no network.
  const now = () =>
    Math.max(Date.now() + skew, Date.parse(list?.as_of ?? 0), queue.at(-1)?.at ?? 0);
  const learn = (answer) => {
    const moment = Date.parse(answer.as_of);
    if (Number.isNaN(moment)) return answer; // It was said by a version before this one.
    skew = moment - Date.now();
    told = true;
    write("skew", skew);
    return answer;
  };

  // Hours are shown as at the event, where this browser knows its zone.
  const timeZone = () => {
    try {
      return new Intl.DateTimeFormat("en", { timeZone: list?.time_zone }).resolvedOptions().timeZone;
    } catch {
      return undefined;
    }
  };

  const ask = async (path, body) => {
    if (refused) throw new Error("401");
    const limit = AbortSignal.timeout(body ? PATIENCE_MS * 4 : PATIENCE_MS * 8);
    const answer = await fetch(`/v1/conference/door/${path}`, {
      method: body ? "POST" : "GET",
      headers: { "Door-Key": key, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
      signal: limit,
    });
    if (answer.status === 401) {
      refused = true;
      part("door-refused").hidden = false;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };

  // -- what a code says ------------------------------------------------------------------------
  const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const unpack = (text) => {
    const plain = text.replace(/[\s-]/g, "").toUpperCase();
    if (!/^CT1[A-Z2-7]{170}$/.test(plain)) return null;
    const bytes = [];
    let bits = 0;
    let held = 0;
    for (const letter of plain.slice(3)) {
      held = ((held << 5) | ALPHABET.indexOf(letter)) & 0xfff;
      bits += 5;
      if (bits >= 8) bytes.push((held >> (bits -= 8)) & 0xff);
    }
    const raw = Uint8Array.from(bytes);
    const hex = (from) =>
      [...raw.slice(from, from + 16)]
        .map((byte) => byte.toString(16).padStart(2, "0"))
        .join("")
        .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    const view = new DataView(raw.buffer);
    return {
      plain,
      edition: raw[0],
      keyNumber: raw[1],
      event: hex(2),
      session: hex(18),
      ticket: Number(view.getBigUint64(34)),
      message: new Uint8Array([67, 84, 49, ...raw.slice(0, 42)]),
      signature: raw.slice(42),
    };
  };
  // True, false, or null where this browser cannot tell.
  const genuine = async (code) => {
    const known = list?.keys[code.keyNumber];
    if (!known) return false;
    try {
      const bytes = Uint8Array.from(atob(known), (letter) => letter.charCodeAt(0));
      const made = await crypto.subtle.importKey("raw", bytes, "Ed25519", false, ["verify"]);
      return await crypto.subtle.verify("Ed25519", made, code.signature, code.message);
    } catch {
      return null;
    }
  };

  // Where a scan was not within the hours of its session: why. Of a session that is not on the list
  // yet only the marketplace can tell.
  const untimely = (id, scan) => {
    const part = parts.get(id);
    if (!part || scan.anyway) return null;
    const { opens_at, closes_at } = part;
    if (scan.at < Date.parse(opens_at)) return { result: "too_early", opens_at, closes_at };
    if (scan.at >= Date.parse(closes_at)) return { result: "closed", opens_at, closes_at };
    return null;
  };

  // What this door finds by itself; the marketplace says the same once it is asked.
  const alone = async (scan) => {
    let id = scan.ticket;
    let code = null;
    if (scan.code) {
      code = unpack(scan.code);
      if (!code || code.event !== list?.event) return { result: "forged" };
      id = code.ticket;
    }
    const found = byId.get(id);
    const real = code && (await genuine(code));
    if (real === false) return { result: "forged" };
    const session = part("door-session").value;
    if (!found) {
      // Sold since the list was made, where the code is ours.
      if (!real) return { result: real === null ? "unsure" : "forged" };
      if (session && code.session !== session) return { result: "other_session" };
      const why = untimely(code.session, scan);
      if (why) return { ...why, admitted_at: mine[id] };
      if (mine[id]) return { result: "double", admitted_at: mine[id] };
      return { result: "admitted", ticket: id, of: code.session };
    }
    const facts = { name: found.name, category: found.category, seat: found.seat };
    const other = code && (code.edition !== found.edition || !code.plain.endsWith(found.tail));
    if (found.void || (other && code.edition !== found.edition)) return { ...facts, result: "void" };
    if (other) return { result: "forged" };
    if (session && found.session !== session) return { ...facts, result: "other_session" };
    const before = found.admitted_at ?? mine[found.id];
    const why = untimely(found.session, scan);
    if (why) return { ...facts, ...why, admitted_at: before };
    if (before) return { ...facts, result: "double", admitted_at: before };
    return { ...facts, result: "admitted", ticket: found.id, of: found.session };
  };

  // -- what people see -------------------------------------------------------------------------
  const TONES = {
    admitted: "good",
    double: "double",
    unsure: "double",
    too_early: "double",
    closed: "double",
  };
  // As the pages of the house say hours: in English those of Europe.
  const speech = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  const HOUR = { hour: "2-digit", minute: "2-digit" };
  const DAY = { weekday: "short", day: "numeric", month: "short" };
  const said = (moment, how) =>
    new Date(moment).toLocaleString(speech, { ...how, timeZone: timeZone() });
  const clock = (moment) => said(moment, HOUR);
  // The day too, where it is not today.
  const when = (moment) =>
    said(moment, said(moment, DAY) === said(now(), DAY) ? HOUR : { ...DAY, ...HOUR });
  const isShut = (answer) => ["too_early", "closed"].includes(answer?.result);
  let again = null; // What is let in anyway, should somebody say so.
  const show = (answer, scan) => {
    const shut = isShut(answer);
    again = shut && !answer.admitted_at ? scan : null;
    part("door-anyway").hidden = !again;
    const box = part("door-answer");
    box.dataset.tone = answer ? (TONES[answer.result] ?? "bad") : "";
    box.querySelector("strong").textContent = answer ? words[answer.result] : words.checking;
    const facts = [answer?.name, answer?.category, answer?.seat].filter(Boolean);
    if (answer?.result === "too_early")
      facts.push(words.opens.replace("#", when(answer.opens_at)));
    if (answer?.result === "closed") facts.push(words.closes.replace("#", when(answer.closes_at)));
    if ((shut || answer?.result === "double") && answer.admitted_at) {
      const inside = [clock(answer.admitted_at), answer.admitted_by].filter(Boolean).join(", ");
      facts.push(shut ? `${words.double} ${inside}` : inside);
    }
    box.querySelector("span").textContent = facts.join(" · ");
    navigator.vibrate?.(answer?.result === "admitted" ? 60 : [120, 60, 120]);
  };
  const state = () => {
    part("door-network").textContent = online ? words.online : words.offline;
    part("door-waiting").textContent = words.waiting.replace("#", queue.length);
    part("door-as-of").textContent = list ? words.asOf.replace("#", clock(list.as_of)) : "";
  };
  const note = (answer) => {
    const line = document.createElement("li");
    line.textContent = [words[answer.result], answer.name, answer.admitted_by]
      .filter(Boolean)
      .join(" · ");
    part("door-late").prepend(line);
    part("door-late-section").hidden = false;
  };

  // -- how many are inside ---------------------------------------------------------------------
  let counted = null; // As the marketplace counted last, and what it answered since.
  const tally = (answer) => {
    const of = counted?.sessions.find((each) => each.session === answer.session);
    if (of && answer.result === "admitted") of.admitted += 1;
    if (of && answer.result === "double") of.doubles += 1;
  };
  const tell = () => {
    // Whoever was let in on this door's own word is inside before anybody else knows of it.
    const inside = queue.filter((each) => each.said === "admitted");
    part("door-counts").replaceChildren(
      ...(counted?.sessions ?? []).map((each) => {
        const line = document.createElement("li");
        const here = inside.filter((scan) => scan.of === each.session).length;
        line.textContent = `${each.name}: ${each.admitted + here} / ${each.sold}`;
        if (each.doubles) line.textContent += ` (${words.doubles.replace("#", each.doubles)})`;
        return line;
      }),
    );
  };

  // -- sending ---------------------------------------------------------------------------------
  let sending = null;
  const flush = () => {
    sending ??= send().finally(() => {
      sending = null;
      state();
    });
    return sending;
  };
  const send = async () => {
    while (queue.length) {
      const some = queue.slice(0, MOST_AT_ONCE);
      const session = some[0].session;
      const batch = some.filter((each) => each.session === session);
      let answers;
      try {
        // A clock may have been set while there was no network.
        if (!told) counted = learn(await ask("counts"));
        answers = await ask("scans", {
          session: session || null,
          scans: batch.map(({ nonce, code, ticket, at, anyway }) => ({
            nonce,
            ...(code ? { code } : { ticket }),
            age_ms: at ? Math.max(0, Date.now() + skew - at) : 0,
            anyway: Boolean(anyway),
          })),
        });
        online = true;
      } catch {
        online = told = false;
        return;
      }
      const done = new Map(answers.scans.map((each) => [each.nonce, each]));
      for (const each of batch) {
        const answer = done.get(each.nonce);
        if (answer) tally(answer);
        if (answer?.ticket && answer.admitted_at) mine[answer.ticket] = answer.admitted_at;
        // Turned away after all, and told so: nobody is inside.
        else if (answer?.ticket && each.said !== "admitted" && isShut(answer))
          delete mine[answer.ticket];
        if (each.nonce === shown) show(answer, each);
        // Whoever was let in on this door's own word is inside, also where it is still on show.
        if (each.said === "admitted" && answer && answer.result !== "admitted") note(answer);
      }
      queue = queue.filter((each) => !done.has(each.nonce));
      write("mine", mine);
      write("queue", queue);
      tell();
    }
  };

  const handle = async (what) => {
    const scan = {
      nonce: crypto.randomUUID(),
      at: now(),
      session: part("door-session").value,
      ...what,
    };
    shown = scan.nonce;
    const own = await alone(scan);
    const decide = () => {
      scan.said = own.result; // what people were told here, before anybody was asked
      scan.of = own.of;
      write("queue", queue);
      tell();
      show(own, scan);
    };
    queue.push(scan);
    write("queue", queue);
    if (own.ticket) mine[own.ticket] ??= new Date(scan.at).toISOString();
    write("mine", mine);
    state();
    if (!online || !navigator.onLine) {
      decide();
      flush();
      return;
    }
    show(null);
    await Promise.race([flush(), new Promise((done) => setTimeout(done, PATIENCE_MS))]);
    if (shown === scan.nonce && queue.includes(scan)) decide();
  };

  part("door-anyway").addEventListener("click", () => {
    const { code, ticket } = again;
    part("door-answer").focus(); // The button goes away.
    handle({ ...(code ? { code } : { ticket }), anyway: true });
  });

  // -- finding by name -------------------------------------------------------------------------
  const flat = (text) => text.toLocaleLowerCase().normalize("NFD").replace(/\p{M}/gu, "");
  const search = (text) => {
    const found = part("door-found");
    found.replaceChildren();
    const asked = flat(text).split(/\s+/).filter(Boolean);
    const plain = text.replace(/[\s-]/g, "").toUpperCase();
    const fits = (list?.tickets ?? []).filter(
      (each) =>
        each.locator.replace("-", "") === plain ||
        asked.every((word) => flat(each.name).includes(word)),
    );
    for (const each of fits.slice(0, MOST_SHOWN)) {
      const line = document.createElement("li");
      const inside = each.admitted_at ?? mine[each.id];
      const facts = [each.name, each.category, each.seat, each.locator].filter(Boolean);
      if (inside) facts.push(`${words.double} ${clock(inside)}`);
      line.append(facts.join(" · "));
      const button = document.createElement("button");
      button.className = "button button--secondary";
      button.type = "button";
      button.textContent = words.letIn;
      button.addEventListener("click", () => {
        found.replaceChildren();
        part("door-text").value = "";
        handle({ ticket: each.id });
      });
      line.append(button);
      found.append(line);
    }
    if (!fits.length) {
      const line = document.createElement("li");
      line.textContent = words.nobody;
      found.append(line);
    }
  };
  part("door-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = part("door-text");
    const text = field.value.trim();
    if (!text) return;
    if (/^ct1/i.test(text)) {
      field.value = "";
      handle({ code: text.slice(0, 400) });
    } else search(text);
  });

  // -- the list and the counts -----------------------------------------------------------------
  const furnish = () => {
    if (!list) return;
    index();
    part("door-event").textContent = list.name;
    part("door-device").textContent = list.device;
    const choice = part("door-session");
    const chosen = choice.value || read("session", "");
    choice.replaceChildren(choice.options[0]);
    for (const each of list.sessions) choice.add(new Option(each.name, each.id));
    choice.value = list.sessions.some((each) => each.id === chosen) ? chosen : "";
  };
  part("door-session").addEventListener("change", (event) => write("session", event.target.value));
  const refresh = async () => {
    await flush();
    if (queue.length) return;
    try {
      list = learn(await ask("list"));
      online = true;
      furnish();
      // What the list does not know yet was scanned while it was on its way.
      mine = Object.fromEntries(
        Object.entries(mine).filter(([id]) => !byId.get(Number(id))?.admitted_at),
      );
      write("list", list);
      write("mine", mine);
    } catch (error) {
      if (error instanceof DOMException && error.name === "QuotaExceededError")
        part("door-too-long").hidden = false;
      else online = told = false;
    }
    state();
  };
  const count = async () => {
    try {
      counted = learn(await ask("counts"));
      tell();
    } catch {
      // The last ones stay.
    }
  };

  // -- the camera ------------------------------------------------------------------------------
  const camera = async () => {
    const start = part("door-scan");
    const stop = part("door-stop");
    const view = part("door-camera");
    if (!("BarcodeDetector" in window) || !navigator.mediaDevices) return;
    const formats = await window.BarcodeDetector.getSupportedFormats();
    if (!formats.includes("qr_code")) return;
    const detector = new window.BarcodeDetector({ formats: ["qr_code"] });
    let stream = null;
    let last = { text: "", at: 0 };
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
        const text = found?.rawValue.slice(0, 400);
        const again = text === last.text && Date.now() - last.at < SAME_AGAIN_MS;
        if (text) {
          last = { text, at: Date.now() };
          if (!again) await handle({ code: text });
        }
      } catch {
        // The first picture is not there yet: look again.
      }
      setTimeout(look, 100);
    };
    start.addEventListener("click", async () => {
      part("door-failed").hidden = true;
      try {
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      } catch {
        part("door-failed").hidden = false;
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
  };

  part("door-work").hidden = false;
  furnish();
  state();
  await refresh();
  count();
  camera();
  window.addEventListener("online", () => refresh().then(count));
  setInterval(flush, 5_000);
  setInterval(count, 10_000);
  setInterval(refresh, 60_000);
})();
