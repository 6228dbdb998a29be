// Asks for the page again when the server says that something has moved; what is open and focused stays so.
"use strict";
const start = () => {
  const place = document.querySelector("main[data-live]");
  if (!place || !window.EventSource) return;
  const source = new EventSource(place.dataset.live);
  let busy = false, again = false;
  const renew = async () => {
    if (document.activeElement && document.activeElement.closest("form input, form select")) return;
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
      const now = document.querySelector("main");
      for (const one of now.querySelectorAll("details[id]")) {
        const same = fresh.querySelector("#" + CSS.escape(one.id));
        if (same) same.open = one.open;
      }
      now.replaceChildren(...fresh.childNodes);
      if (!fresh.dataset.live) source.close();
    } finally {
      busy = false;
      if (again) { again = false; renew(); }
    }
  };
  source.addEventListener("moved", renew);
};
start();
