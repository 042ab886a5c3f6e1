// On paper the view of the screen is as wide as the sheet, by a zoom, as charts do not change their size then.
const SHEET = 700;  // pixels between the margins of A4, and of a letter

function fitPaper() {
  const main = document.querySelector(".stMainBlockContainer");
  if (!main) return;
  const style = getComputedStyle(main), sides = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
  const view = Math.max(SHEET, main.clientWidth - sides);
  document.documentElement.style.setProperty("--paper-view", `${view}px`);
  document.documentElement.style.setProperty("--paper-zoom", SHEET / view);
}
