// One entry of the browser's history for each change. Streamlit replaces the entry when a widget changes its part of the
// address, and Back would leave the page: here such a change gets an entry of its own. What follows from a change, and
// what the page corrects after Back, belongs to the entry that is there. Browsers without the Navigation API (before
// 2026) keep what Streamlit does.

const QUIET = ["step", "pixel", "uploads"];  // no choice that Back could undo

function followHistory() {
  if (!window.navigation) return;
  let touched = false, busy = false;
  for (const kind of ["pointerdown", "keydown"]) window.addEventListener(kind, () => { touched = true; }, true);
  navigation.addEventListener("navigate", (event) => {
    if (busy || touched || event.navigationType !== "push" || !event.cancelable || !event.destination.sameDocument) return;
    event.preventDefault();
    busy = true;
    window.history.replaceState(window.history.state, "", event.destination.url);
    busy = false;
  });
  navigation.addEventListener("currententrychange", (event) => {
    if (busy) return;
    const before = event.from?.url, now = window.location.href;
    if (event.navigationType !== "replace") { touched = false; return; }
    if (!touched || !before || !differ(before, now)) return;
    touched = false;
    busy = true;
    const state = window.history.state;
    window.history.replaceState(state, "", before);
    window.history.pushState(state, "", now);
    busy = false;
  });
}

function differ(before, now) {
  const [old, current] = [before, now].map((text) => {
    const url = new URL(text);
    for (const name of QUIET) url.searchParams.delete(name);
    url.searchParams.sort();
    return url.toString();
  });
  return old !== current;
}
