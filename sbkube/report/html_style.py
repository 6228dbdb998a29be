"""The stylesheet of pages that sbkube writes, for dark and for light, with nothing from elsewhere.

Statuses of deployments and apps, and states of operations, have a class `status-WORD`; it sets the one colour
`--status`, which badges, nodes of a graph and bars of a waterfall use.
"""

from __future__ import annotations

from sbkube.report.markup import Html

STYLE = Html("""
:root { color-scheme: light dark; --ground: #fff; --panel: #f6f7f9; --text: #1c2128; --faint: #59636e;
  --line: #d0d7de; --good: #1a7f37; --bad: #cf222e; --warn: #9a6700; --calm: #0969da;
  --new: #dafbe1; --old: #ffebe9; }
@media (prefers-color-scheme: dark) { :root { --ground: #0d1117; --panel: #161b22; --text: #e6edf3;
  --faint: #9198a1;
  --line: #30363d; --good: #3fb950; --bad: #f85149; --warn: #d29922; --calm: #4493f8;
  --new: #12261e; --old: #301b1e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1rem 0 .4rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { color: var(--faint); font-weight: normal; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; background: var(--panel); }
details details { background: var(--ground); margin: .5rem; }
summary { cursor: pointer; padding: .4rem .8rem; overflow-wrap: anywhere; }
pre { margin: 0; padding: .5rem .8rem; overflow-x: auto; font: 12.5px/1.45 ui-monospace, monospace; }
pre span { display: block; white-space: pre; min-height: 1.45em; }
.add { background: var(--new); } .remove { background: var(--old); } .hunk { color: var(--calm); }
.message { color: var(--bad); white-space: pre-wrap; overflow-wrap: anywhere; padding: 0 .8rem .4rem; margin: 0; }
.faint { color: var(--faint); } .warning { color: var(--warn); }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; background: var(--panel); }
.badge { border: 1px solid var(--status, var(--line)); color: var(--status, var(--text)); border-radius: 1em;
  padding: .05rem .6rem; font-size: .85rem; font-weight: normal; white-space: nowrap; }
svg text { fill: var(--text); font: 12px ui-monospace, monospace; }
svg .name { font-weight: bold; } svg .note { fill: var(--faint); font-size: 11px; }
svg .node rect { fill: var(--ground); stroke: var(--status, var(--line)); stroke-width: 1.5; }
svg .edge { stroke: var(--faint); stroke-width: 1.2; } svg .tick { stroke: var(--line); }
svg .bar rect { fill: var(--status, var(--faint)); }
.status-success, .status-applied, .status-ready { --status: var(--good); }
.status-failed, .status-partially_failed, .status-missing { --status: var(--bad); }
.status-interrupted, .status-rolled_back, .status-intended, .status-abandoned { --status: var(--warn); }
.status-in_progress, .status-superseded { --status: var(--calm); }
@media print { body { max-width: none; } details { break-inside: avoid; } }
""")
