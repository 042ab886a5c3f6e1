// Copy link: the address of the page with all that it shows, chosen or at first.

function addressOf(shown) {
  const url = new URL(window.location.href);
  for (const [name, value] of Object.entries(shown)) url.searchParams.set(name, value);
  return url.toString();
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A page by plain HTTP from another machine has no clipboard; the older way works there.
    const field = document.createElement("textarea");
    field.value = text;
    field.setAttribute("readonly", "");
    field.style.cssText = "position: fixed; opacity: 0";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
