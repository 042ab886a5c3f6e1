"""The style of a page on paper: the view of the screen, as wide as the paper, no controls, and no chart cut in two.

Charts keep their size when a page is printed; so the script of the page says how wide the view is, see ``paper.js``.
"""

STYLE = """<style>
@media print {
  @page {margin: 12mm}
  .stApp {print-color-adjust: exact} /* the dark theme has light text */
  [data-testid="stHeader"], [data-testid="stSidebar"], [data-testid="stColumn"]:has(> div > .st-key-upload),
  [data-testid="stPopover"], [data-testid="stDownloadButton"], [data-testid="stFileUploader"], .st-key-first_run,
  [data-testid="stLayoutWrapper"]:has(> .st-key-phone_pages), .st-key-view_link, [data-testid="stPageLink"],
  [data-testid="stElementToolbar"] {display: none !important}
  [data-testid="stLayoutWrapper"]:has(> .st-key-selection_bar) {position: static}
  .stMainBlockContainer {padding: 0; max-width: none; width: var(--paper-view, 100%); zoom: var(--paper-zoom, 1)}
  .stHorizontalBlock:has(> [data-testid="stColumn"]) {flex-wrap: nowrap} /* side by side, as on the screen */
  .stHorizontalBlock > [data-testid="stColumn"] {min-width: 0}
  [data-testid="stElementContainer"], [data-testid="stLayoutWrapper"]:has(> .stHorizontalBlock) > .stHorizontalBlock {
    break-inside: avoid}
  .stHeading, [data-testid="stHeading"] {break-after: avoid}
}
</style>"""
