// Once for the window, at the beginning of the page, as the visitor may choose before the end of it is there.
export default function ({ data }) { window.seVizHistory ??= followHistory(data.names) ?? true; }
