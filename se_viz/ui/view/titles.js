// A field of the bar may be too short for a name; its title has the whole name.
function nameFields() {
  for (const field of document.querySelectorAll(".st-key-selection_bar input")) field.title = field.value;
}

// The open tab and the chosen button of a line that scrolls sideways are in view: on a phone a link may open the last.
function showChosen() {
  for (const chosen of document.querySelectorAll('[role="tab"][aria-selected="true"], [role="radio"][aria-checked="true"]')) {
    const line = chosen.parentElement.closest('[role="tablist"], [role="radiogroup"]');
    const scroller = [line, line?.parentElement].find((one) => one && one.scrollWidth > one.clientWidth + 1);
    if (!scroller) continue;
    const [box, frame] = [chosen.getBoundingClientRect(), scroller.getBoundingClientRect()];
    if (box.left < frame.left || box.right > frame.right) {
      scroller.scrollLeft += box.left - frame.left - (frame.width - box.width) / 2;
    }
  }
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
