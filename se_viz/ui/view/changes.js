// Made at the beginning of the page, as the visitor may choose before the end of it is there.
const changes = (window.seVizChanges ??= followHistory());

export default function ({ data }) { changes(data.changes); }
