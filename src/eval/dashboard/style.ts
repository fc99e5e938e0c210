/**
 * The style sheet of the page. Text has a contrast of 4.5 at least on either ground; shapes of 3.
 * @module
 */

export const STYLE: string = [
  ':root{--ground:#fff;--ink:#1c1e21;--soft:#565b63;--rule:#c9ced6;--panel:#f5f6f8;--mark:#fde68a;--markink:#1c1e21;',
  '--c0:#1f5fbf;--c1:#b4460f;--c2:#0f7a5f;--c3:#8a3ea8;--c4:#6b6a00;--c5:#a8323e;--c6:#2f6f8f;--c7:#555b66}',
  '@media(prefers-color-scheme:dark){:root{--ground:#15171b;--ink:#e6e8eb;--soft:#a9b0ba;--rule:#3b414b;--panel:#1d2026;',
  '--mark:#6b5200;--markink:#fff;--c0:#7fb0ff;--c1:#ff9d66;--c2:#5fd1ae;--c3:#d99bf0;--c4:#d6d36a;--c5:#ff8f9a;--c6:#86c9e8;--c7:#b3bac5}}',
  'body{font:16px/1.5 system-ui,sans-serif;max-width:1400px;overflow-wrap:anywhere;margin:0 auto;padding:1rem;color:var(--ink);background:var(--ground)}',
  'h1{font-size:1.5rem;overflow-wrap:anywhere}h2{font-size:1.2rem;margin-top:2.5rem;overflow-wrap:anywhere}h3{font-size:1rem;margin:.5rem 0 0}',
  'h4{font-size:.85rem;margin:0;color:var(--soft)}footer,figcaption+svg text{color:var(--soft)}footer{font-size:.85rem;margin-top:3rem}',
  '.skip{position:absolute;left:-999px}.skip:focus{position:static}',
  ':focus-visible{outline:3px solid var(--c0);outline-offset:2px}',
  '.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:1.5rem;margin-top:1rem}',
  'figure{margin:0;padding:.75rem;background:var(--panel);border-radius:6px;min-width:0}figcaption{font-weight:600;overflow-wrap:anywhere}',
  'svg{width:100%;height:auto;display:block}svg text{font-size:12px;fill:var(--ink)}.grid text{fill:var(--soft)}',
  '.grid line{stroke:var(--rule);stroke-width:1}.line{fill:none;stroke-width:2}.d1{stroke-dasharray:7 3}.d2{stroke-dasharray:2 3}',
  '.d3{stroke-dasharray:9 3 2 3}.pareto{fill:none;stroke:var(--soft);stroke-dasharray:4 4}',
  '.whisker{fill:none;stroke-width:1.5}.ink{fill:none;stroke:var(--ink);stroke-width:1.5}',
  ...Array.from({ length: 8 }, (_, i) => `.c${i}{fill:var(--c${i});stroke:var(--c${i})}`),
  '.line,.whisker{fill:none}.bars rect{stroke:none}',
  '.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;margin:.3rem 0;padding:0;font-size:.85rem}',
  '.legend li{display:flex;align-items:center;gap:.4rem;overflow-wrap:anywhere}.legend svg{width:14px;height:14px;flex:none}',
  '.wide{overflow:auto;max-height:32rem}table{border-collapse:collapse;font-size:.875rem;width:100%}',
  'caption{text-align:left;font-weight:600;padding:.3rem 0}th,td{text-align:right;padding:.25rem .6rem;border-bottom:1px solid var(--rule);vertical-align:top}',
  'th:first-child,th:last-child,td:last-child{text-align:left}td:nth-child(2){overflow-wrap:anywhere}thead th{color:var(--soft)}',
  'summary{cursor:pointer;font-size:.85rem}.beside{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:1rem}',
  'article{border-left:3px solid var(--rule);padding-left:1rem;margin:1.5rem 0}.text{white-space:pre-wrap;overflow-wrap:anywhere;margin:.2rem 0}',
  'mark{background:var(--mark);color:var(--markink)}.search{margin-top:1.5rem}',
  'input{font:inherit;color:inherit;background:var(--ground);border:1px solid var(--soft);border-radius:4px;padding:.2rem .5rem;margin:0 .6rem}',
  '.verdict{padding:.1rem .5rem;border-radius:4px;border:2px solid currentColor}.pass{color:var(--c2)}.warn{color:var(--c4)}.fail{color:var(--c5)}',
  '@media print{body{max-width:none;padding:0}.skip,.search label,input{display:none}figure,article{break-inside:avoid}',
  '.wide{max-height:none;overflow:visible}:root{--ground:#fff;--ink:#000;--panel:#fff}}',
].join('');
