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
