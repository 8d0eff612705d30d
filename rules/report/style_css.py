"""The style of reports in HTML: light and dark, on paper, on a phone."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --panel: #ffffff; --ink: #1d1f23; --soft: #5c616b; --line: #dfdcd6; --code: #f6f4f0;
  --error: #b3261e; --error-wash: #fdecea; --warning: #8a5300; --warning-wash: #fff3dc;
  --info: #1f5fa8; --info-wash: #e9f1fb; --good: #1b6b3a; --good-wash: #e6f4ea; --related: #6a6f78;
  --related-wash: #efedf3; --focus: #1f5fa8; --radius: 10px;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "Liberation Mono", "DejaVu Sans Mono", Menlo, monospace;
  --sans: system-ui, -apple-system, "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171b; --panel: #1c1f25; --ink: #e8e6e1; --soft: #a3a8b3; --line: #343943; --code: #191c21;
    --error: #ff8a80; --error-wash: #3a1d1c; --warning: #f2b65c; --warning-wash: #35290f;
    --info: #8db9ef; --info-wash: #172a41; --good: #7fd09a; --good-wash: #14301f; --related: #a3a8b3;
    --related-wash: #272a33; --focus: #8db9ef;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 var(--sans); }
main { max-width: 92rem; margin: 0 auto; padding: 1.5rem clamp(1rem, 3vw, 2.5rem) 4rem; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; letter-spacing: -0.01em; }
h2 { font-size: 1.25rem; } h3 { font-size: 1.05rem; margin: 2rem 0 0.6rem; }
a { color: var(--info); text-underline-offset: 0.15em; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
code { font-family: var(--mono); font-size: 0.92em; overflow-wrap: anywhere; }
.run + .run { border-top: 1px solid var(--line); margin-top: 3rem; padding-top: 1rem; }
.verdict { display: flex; flex-wrap: wrap; align-items: center; gap: 0.35rem 0.7rem; margin: 1rem 0; font-weight: 600; }
.verdict .badge { font: 700 0.82rem/1 var(--sans); letter-spacing: 0.06em; text-transform: uppercase; padding: 0.45rem 0.7rem;
  border-radius: 99px; border: 1.5px solid currentcolor; }
.verdict .counts { color: var(--soft); font-weight: 400; font-size: 1rem; margin-left: auto; }
.fail .badge { color: var(--error); background: var(--error-wash); }
.warn .badge { color: var(--warning); background: var(--warning-wash); }
.pass .badge { color: var(--good); background: var(--good-wash); }
.undecided .badge { color: var(--info); background: var(--info-wash); }
.summary { margin: 0 0 1.5rem; padding: 0.9rem 1.1rem; background: var(--panel); border: 1px solid var(--line); border-radius: var(--radius); }
.summary div { display: grid; grid-template-columns: 5.5rem 1fr; gap: 0.75rem; padding: 0.15rem 0; }
.summary dt { color: var(--soft); } .summary dd { margin: 0; font-family: var(--mono); font-size: 0.92rem; overflow-wrap: anywhere; }
.files { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1.25rem; align-items: start; margin-top: 1.25rem; }
.file { margin: 0; background: var(--panel); border: 1px solid var(--line); border-radius: var(--radius); overflow: hidden; }
.file figcaption { padding: 0.6rem 1rem; border-bottom: 1px solid var(--line); display: flex; gap: 0.75rem; align-items: baseline; }
.file figcaption span { color: var(--soft); font-size: 0.9rem; }
.source { list-style: none; margin: 0; padding: 0.5rem 0; background: var(--code); counter-reset: none; }
.source li { display: grid; grid-template-columns: 3.4rem 1fr; padding-right: 0.9rem; border-left: 4px solid transparent; }
.source li::before { content: attr(value); color: var(--soft); font: 0.8rem/1.75 var(--mono); text-align: right; padding-right: 0.9rem;
  user-select: none; opacity: 0.8; }
.source li > code { white-space: pre-wrap; font-size: 0.875rem; line-height: 1.6; }
.source li > .note { grid-column: 2; }
.source li.error { border-left-color: var(--error); } .source li.warning { border-left-color: var(--warning); }
.source li.info { border-left-color: var(--info); } .source li.related { border-left-color: var(--related); }
.source li:target, .note:target { outline: 2px solid var(--focus); outline-offset: -1px; }
mark { color: inherit; background: none; text-decoration: underline; text-decoration-thickness: 2px; text-underline-offset: 0.22em; }
mark.error { background: var(--error-wash); text-decoration-color: var(--error); text-decoration-style: wavy; }
mark.warning { background: var(--warning-wash); text-decoration-color: var(--warning); text-decoration-style: wavy; }
mark.info { background: var(--info-wash); text-decoration-color: var(--info); }
mark.related { text-decoration-color: var(--related); text-decoration-style: dashed; }
.note { margin: 0.35rem 0 0.6rem; padding: 0.55rem 0.8rem; border-radius: 7px; font-size: 0.92rem; line-height: 1.45; overflow-wrap: anywhere; }
.note p { margin: 0.2rem 0; } .note .what { font-weight: 500; } .note .help { margin-top: 0.45rem; }
.note.error { background: var(--error-wash); } .note.error .what b { color: var(--error); }
.note.warning { background: var(--warning-wash); } .note.warning .what b { color: var(--warning); }
.note.info { background: var(--info-wash); } .note.info .what b { color: var(--info); }
.note.related { background: var(--related-wash); color: var(--ink); padding-block: 0.3rem; }
.note .help b { color: var(--good); }
.instead { padding-left: 1.4rem; } .instead li { padding: 0.15rem 0; } .where { color: var(--soft); font-size: 0.9rem; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: var(--radius); background: var(--panel); }
.chain { border-collapse: collapse; width: 100%; font-size: 0.88rem; }
.chain th, .chain td { text-align: left; vertical-align: top; padding: 0.45rem 0.9rem; border-bottom: 1px solid var(--line); }
.chain tbody tr:last-child > * { border-bottom: 0; } .chain thead th { color: var(--soft); font-weight: 500; }
.chain th[scope=row], .chain td { font-family: var(--mono); font-weight: 400; overflow-wrap: anywhere; }
.chain .beaten th[scope=row] { font-weight: 700; } .chain s { color: var(--error); }
.end { padding: 0.6rem 0.9rem; border-radius: 7px; background: var(--error-wash); overflow-wrap: anywhere; }
.undecided summary { cursor: pointer; padding: 0.4rem 0; } details.undecided { margin-top: 1.5rem; }
.undecided li { padding: 0.12rem 0; }
@media print { body { background: #fff; } .file, .note { break-inside: avoid; } }
"""
