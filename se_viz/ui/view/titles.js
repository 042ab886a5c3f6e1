// A field of the bar may be too short for a name; its title has the whole name. It is set when the pointer comes, as
// Streamlit may draw a field again at any time.
function nameFields() {
  document.addEventListener("pointerover", ({ target }) => {
    if (target.matches(".st-key-selection_bar input")) target.title = target.value;
  });
}

// The open page, the open tab and the chosen button of a line that scrolls sideways are in view: on a phone a link may
// open the last.
function showChosen() {
  const chosens = document.querySelectorAll('[role="tab"][aria-selected="true"], [role="radio"][aria-checked="true"]');
  for (const chosen of [...chosens, ...openPage()]) {
    const line = chosen.parentElement.closest('[role="tablist"], [role="radiogroup"], .st-key-phone_pages');
    const scroller = [line, line?.parentElement].find((one) => one && one.scrollWidth > one.clientWidth + 1);
    if (!scroller) continue;
    const [box, frame] = [chosen.getBoundingClientRect(), scroller.getBoundingClientRect()];
    if (box.left < frame.left || box.right > frame.right) {
      scroller.scrollLeft += box.left - frame.left - (frame.width - box.width) / 2;
    }
  }
}

// Streamlit tells only by a colour which page is open.
function openPage() {
  const here = window.location.pathname.split("/").at(-1);
  return [...document.querySelectorAll(".st-key-phone_pages a")].filter((link) => {
    const open = link.getAttribute("href") === here;
    if (open) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    return open;
  });
}

// What scrolls sideways can be scrolled by the keyboard; Safari gives the focus to such parts only if they ask for it.
function focusWhatScrolls() {
  for (const [parts, name] of [['[class*="st-key-wide_"]', "Wide chart"], [".katex-display", "Formula"]]) {
    for (const part of document.querySelectorAll(parts)) {
      const said = { tabindex: "0", role: "region", "aria-label": name };
      for (const [attribute, value] of Object.entries(said)) {
        if (part.scrollWidth > part.clientWidth + 1) part.setAttribute(attribute, value);
        else part.removeAttribute(attribute);
      }
    }
  }
}
