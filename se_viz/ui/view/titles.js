// A field of the bar may be too short for a name; its title has the whole name.
function nameFields() {
  for (const field of document.querySelectorAll(".st-key-selection_bar input")) field.title = field.value;
}
