// Comfort only: every page works without this file.
"use strict";

(() => {
  // Times in the reader's zone.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const format = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
  const localTimes = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime()) || time.title) continue;
      time.title = time.textContent;
      time.textContent = format.format(at);
    }
    const told = document.getElementById("zone");
    if (told && zone) told.textContent = `Times are shown in your zone, ${zone}.`;
  };

  // A button with data-confirm asks once more, in its own place, before its form is sent.
  const question = (button) => {
    const box = document.createElement("span");
    box.className = "sure";
    const text = document.createElement("span");
    text.textContent = button.dataset.confirm;
    const yes = document.createElement("button");
    yes.type = "submit";
    yes.className = button.className;
    yes.textContent = button.dataset.yes || "Yes, do it";
    if (button.name) { yes.name = button.name; yes.value = button.value; }
    const no = document.createElement("button");
    no.type = "button";
    no.className = "quiet";
    no.textContent = "Cancel";
    const close = () => { box.replaceWith(button); button.focus(); };
    no.addEventListener("click", close);
    box.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); close(); } });
    box.append(text, yes, no);
    button.replaceWith(box);
    yes.focus();
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-confirm]");
    if (!button || (button.form && !button.form.checkValidity())) return;
    event.preventDefault();
    question(button);
  });

  // A form is sent once; the server would see to that as well.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method === "get") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });

  // Copies what a field beside the button holds.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const from = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(from.value ?? from.textContent.trim());
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(from);
    }
  });
  const offerCopies = (root) => { for (const button of root.querySelectorAll("button[data-copy][hidden]")) button.hidden = false; };

  // A form with data-check asks for its checks while it is filled in: the answer's region of the same id is put in place.
  const wake = (root) => {
    for (const form of root.querySelectorAll("form[data-check]")) {
      let last = "";
      let asked = 0;
      const check = async () => {
        const fields = new FormData(form);
        for (const name of ["csrf", "once"]) fields.delete(name);
        for (const [name, value] of [...fields]) if (typeof value !== "string") fields.delete(name);
        const query = new URLSearchParams(fields).toString();
        if (query === last) return;
        last = query;
        const turn = ++asked;
        const page = await fetchPage(`${form.dataset.check}?${query}`);
        if (page && turn === asked) swap(page, (region) => region.id === form.dataset.checkInto);
      };
      form.addEventListener("change", check);
      for (const button of form.querySelectorAll("button[name=check]")) {
        button.addEventListener("click", (event) => { event.preventDefault(); last = ""; check(); });
      }
    }
    for (const input of root.querySelectorAll("input[type=file][data-preview]")) {
      input.addEventListener("change", async () => {
        const canvas = document.getElementById(input.dataset.preview);
        const file = input.files[0];
        canvas.hidden = true;
        if (!file) return;
        try {
          const picture = await createImageBitmap(file);
          const scale = Math.min(1, 190 / picture.width, 90 / picture.height);
          canvas.width = Math.round(picture.width * scale);
          canvas.height = Math.round(picture.height * scale);
          canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
          canvas.hidden = false;
        } catch { /* An SVG is shown once it is kept and made safe. */ }
      });
    }
  };

  const fetchPage = async (address) => {
    try {
      const answer = await fetch(address, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      if (!answer.ok || answer.redirected) return null;
      return new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch { return null; }
  };

  // Puts regions (data-live with an id) of a page as it is now in the place of those shown, unless somebody works in them.
  const swap = (page, wanted) => {
    for (const shown of document.querySelectorAll("[data-live][id]")) {
      if (!wanted(shown)) continue;
      const now = page.getElementById(shown.id);
      if (!now || same(shown, now)) continue;
      const busy = shown.contains(document.activeElement) && document.activeElement !== document.body;
      if (busy || shown.querySelector("details[open] form, .sure")) continue;
      shown.dataset.source = now.innerHTML;
      shown.replaceChildren(...now.childNodes);
      localTimes(shown);
      offerCopies(shown);
      wake(shown);
      shown.classList.remove("fresh");
      void shown.offsetWidth;
      shown.classList.add("fresh");
    }
  };
  const plain = (html) => html.replace(/name="once" value="[^"]*"/g, "");
  const same = (shown, now) => plain(shown.dataset.source ?? "") === plain(now.innerHTML);
  for (const region of document.querySelectorAll("[data-live][id]")) region.dataset.source = region.innerHTML;

  // Live updates: news make the page ask for itself again. A page that nobody looks at asks for none: browsers open only a
  // few connections to a site, and each tab would take one.
  if (document.body.dataset.place && document.querySelector("[data-live][id]") && "EventSource" in window) {
    const state = document.getElementById("live-state");
    let place = document.body.dataset.place;
    let source = null;
    let waiting = false;
    let last = -Infinity;
    const tell = (text) => { if (state && state.textContent !== text) state.textContent = text; };
    const refresh = async () => {
      waiting = false;
      last = performance.now();
      const page = await fetchPage(location.href);
      if (page) swap(page, (region) => !("still" in region.dataset));
    };
    const open = () => {
      if (source || document.hidden) return;
      source = new EventSource(`/live?after=${encodeURIComponent(place)}`);
      source.addEventListener("open", () => tell(""));
      source.addEventListener("error", () => tell("Not connected: what you see may be old."));
      source.addEventListener("news", (event) => {
        place = event.data;
        if (waiting) return;
        waiting = true;
        // Some pages ask an identity provider: not more often than every five seconds.
        setTimeout(refresh, Math.max(400, last + 5000 - performance.now()));
      });
    };
    const close = () => {
      if (source) source.close();
      source = null;
    };
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
  }

  // Keyboard: "/" goes to the search field, Escape closes an open form.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, textarea, select");
    if (event.key === "/" && !typing) {
      const search = document.querySelector("input[type=search]");
      if (search) { event.preventDefault(); search.focus(); }
    } else if (event.key === "Escape") {
      const open = event.target.closest("details.action[open]");
      if (open) { open.open = false; open.querySelector("summary").focus(); }
    }
  });

  localTimes(document);
  offerCopies(document);
  wake(document);
  const first = document.querySelector("[data-focus]");
  if (first) first.focus();
})();
