"""The style of the page on a phone: less empty space, and nothing to tap that is smaller than 40 pixels."""

STYLE = """<style>
@media (max-width: 640px) {
  .stMainBlockContainer {padding-bottom: .5rem}
  .stMainBlockContainer h1 {padding: 0 0 .5rem; font-size: 1.6rem}
  .stMainBlockContainer h2 {padding: .25rem 0}
  .stHeading [data-testid="stMarkdownContainer"] {margin-bottom: -.4rem} /* Streamlit's -1rem is for its own gap */
  .stMainBlockContainer [data-testid="stVerticalBlock"] {gap: .4rem}
  .stMainBlockContainer .stHorizontalBlock {row-gap: .4rem}
  .st-key-order_of_channels [data-testid="stCaptionContainer"] {display: none} /* the buttons have this label, too */
  .stMainBlockContainer [data-testid="stFileUploaderDropzone"] {flex-direction: row; align-items: center}
  /* Tools beside a choice fit in its line; their words remain for a screen reader. */
  [class*="st-key-tool_"] button p {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)
  }
  [class*="st-key-wide_"] {overflow-x: auto}
  [class*="st-key-wide_"] > div {min-width: 40rem}
  [role="radiogroup"] > button, .stCheckbox label, [data-testid="stPageLink-NavLink"] {
    min-height: 2.5rem}
  [data-testid="stPopoverButton"], [data-testid="stExpandSidebarButton"],
  [data-testid="stBaseButton-elementToolbar"], [data-testid="stTab"] {min-width: 2.5rem; min-height: 2.5rem}
  [data-testid="stTab"] {flex: none; justify-content: center}
  [data-testid="stSidebarNavLink"], [data-testid="stMultiSelectTagsContainer"] [role="group"] > span {
    min-height: 2.5rem}
  [data-testid="stSidebarCollapseButton"] button, [data-testid="stMultiSelect"] [role="group"] button {
    min-width: 2.5rem; min-height: 2.5rem}
  [data-testid="stMultiSelectTagsContainer"] [role="group"] button {margin-right: -.6rem}
  /* These keep their size, as they stand in or beside a text: what is around them can be tapped as well. */
  [data-testid="stNumberInputClearButton"], .se-product a {position: relative}
  [data-testid="stNumberInputClearButton"]::after, .se-product a::after,
  [data-testid="stSlider"] [role="group"] div:has(> div > input)::before {
    content: ""; position: absolute; inset: -.9rem}
  .se-product a::after {inset: -.75rem 0}
  body:not(:has([data-testid="stExpandSidebarButton"])) .se-product {display: none} /* it would lie upon it */
  [data-testid="stElementContainer"]:has(> [data-testid="stFullScreenFrame"] [data-testid="stDataFrame"]) {
    margin-top: 2rem} /* its tools, which a touch screen shows always, cover what is above */
  [data-testid="stPageLink-NavLink"] p {white-space: normal}
  button[aria-label^="Help"] {padding: .75rem; margin: -.75rem}
  .stHorizontalBlock > :has(> [data-testid="stMultiSelect"]) {flex: 1 0 80%} /* else it shares its line */
}
</style>"""
