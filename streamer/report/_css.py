"""The style sheet of the page: for a wide screen, a phone and paper."""

from __future__ import annotations

from streamer.report.breath.style import INK, SHADE_1, SHADE_2, VERMILLION

CSS = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; max-width: 62rem; padding: 1rem 1.25rem 3rem; background: #fff; color: {INK};
  font: 16px/1.45 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; overflow-wrap: break-word; }}
h1 {{ font-size: 1.7rem; line-height: 1.2; margin: .4rem 0; }}
h2 {{ font-size: 1.3rem; margin: 2.4rem 0 .6rem; border-bottom: 2px solid {INK}; padding-bottom: .2rem; }}
h3 {{ font-size: 1.05rem; margin: 1.6rem 0 .4rem; }}
p, ul, ol, dl {{ margin: .5rem 0; }}
a {{ color: #0b5394; }}
nav ul {{ list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; }}
.banner {{ border: 2px solid {VERMILLION}; background: #fdf1e9; padding: .5rem .8rem; font-weight: 700; }}
.device {{ color: #555; }}
dl div {{ display: grid; grid-template-columns: minmax(7rem, 13rem) 1fr; gap: .1rem 1rem; padding: .15rem 0; }}
dt {{ font-weight: 600; }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
.wide {{ overflow-x: auto; margin: .6rem 0; }}
figure {{ margin: 1rem 0; }}
figcaption, caption {{ font-size: .9rem; text-align: left; }}
figcaption {{ margin-top: .3rem; color: #444; }}
caption {{ font-weight: 600; padding: .3rem 0; }}
svg {{ display: block; width: 100%; min-width: 40rem; max-width: 56rem; height: auto; }}
svg * {{ stroke-linejoin: round; stroke-linecap: butt; }}
svg text {{ font-family: "DejaVu Sans", Verdana, sans-serif !important; }}
table {{ border-collapse: collapse; font-size: .86rem; min-width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid {SHADE_2}; }}
thead th {{ border-bottom: 1.5px solid {INK}; }}
tbody th {{ font-weight: 400; }}
tr.group th {{ font-weight: 600; background: {SHADE_1}; padding-left: .3rem; }}
.numbers td {{ font-variant-numeric: tabular-nums; }}
.reasons tbody th {{ width: 34%; }}
.reasons td:not(:last-child) {{ white-space: nowrap; }}
summary {{ cursor: pointer; }}
small, sup {{ font-size: .78em; color: #555; }}
sup {{ line-height: 0; }}
.spread {{ white-space: nowrap; }}
small.changed {{ color: {INK}; font-weight: 600; }}
code {{ font: .92em ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }}
code.hash {{ display: block; min-width: 15rem; font-size: .72rem; color: #555; overflow-wrap: anywhere; }}
.footnotes {{ font-size: .82rem; padding-left: 1.6rem; }}
@media (max-width: 40rem) {{
  body {{ padding: .6rem .8rem 2rem; font-size: 15px; }}
  dl div {{ grid-template-columns: 1fr; }}
  tbody th {{ min-width: 7rem; }}
  td {{ min-width: 5.5rem; }}
}}
@media print {{
  @page {{ size: A4; margin: 14mm; }}
  body {{ max-width: none; padding: 0; font-size: 10pt; }}
  nav {{ display: none; }}
  .wide {{ overflow: visible; }}
  svg {{ min-width: 0; max-height: 212mm; }}
  table {{ font-size: 7.5pt; min-width: 0; width: 100%; }}
  th, td {{ padding: .1rem .3rem .1rem 0; }}
  code.hash {{ min-width: 8rem; max-width: 10rem; font-size: 5.5pt; }}
  figure, tr, h2, h3 {{ break-inside: avoid; }}
  h2, h3, caption {{ break-after: avoid; }}
  thead {{ display: table-header-group; }}
  .patient {{ break-before: page; }}
}}
""".strip()
