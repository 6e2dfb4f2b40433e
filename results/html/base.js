'use strict';
/* What every part of the page uses. Text from documents reaches the page through textContent only; markup is never built from strings. */
const D = JSON.parse(document.getElementById('data').textContent);
const M = D.matrix;
const cells = M.cells;
const byId = new Map(cells.map(c => [c.id, c]));
const control = byId.get(M.control);
const SVG = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
	for (const [key, value] of Object.entries(attributes || {})) {
		if (value === null || value === undefined || value === false) continue;
		if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
		else node.setAttribute(key, value === true ? '' : value);
	}
	for (const child of children.flat()) {
		if (child !== null && child !== undefined) node.append(child instanceof Node ? child : String(child));
	}
	return node;
}
const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/* Three significant digits, with the unit that fits; the same words as the terminal report. */
function three(v, unit) {
	const a = Math.abs(v);
	return v.toFixed(a >= 99.95 || a === 0 ? 0 : a >= 9.995 ? 1 : a >= 0.9995 ? 2 : 3) + unit;
}
function scaled(v, base, units) {
	let i = 0;
	while (i + 1 < units.length && Math.abs(v) >= base * 0.9995) { v /= base; i++; }
	return three(v, units[i]);
}
const NS = [' ns', ' µs', ' ms', ' s'];
function format(v, unit) {
	if (v === null || v === undefined || !isFinite(v)) return '–';
	if (unit === 's') return Math.abs(v) < 0.9995 ? scaled(v * 1e9, 1000, NS) : three(v, ' s');
	if (unit === 'ns') return scaled(v, 1000, NS);
	if (unit === 'bytes') return scaled(v, 1024, [' B', ' KiB', ' MiB', ' GiB', ' TiB']);
	if (unit === '1/s') return scaled(v, 1000, ['', 'k', 'M', 'G']) + '/s';
	return Math.abs(v) < 10000 && Number.isInteger(v) ? String(v) : scaled(v, 1000, ['', 'k', 'M', 'G']);
}
const ns = v => format(v, 'ns');
function percent(ratio) {
	if (ratio === null || ratio === undefined || !isFinite(ratio)) return '–';
	if (ratio >= 10) return ratio.toFixed(1) + '×';
	const p = (ratio - 1) * 100;
	return (p >= 0.05 ? '+' : p <= -0.05 ? '−' : '±') + Math.abs(p).toFixed(1) + '%';
}
const share = x => !isFinite(x) ? '–' : x === 0 ? '0%' : x >= 0.1 ? (x * 100).toFixed(1) + '%' : (x * 100).toPrecision(2) + '%';
const count = n => n.toLocaleString('en-US');

/* Durability as the C side ranks it. */
function rank(c) {
	const d = c.durability;
	if (d.startsWith('D1')) { const m = /^D1:([\d.]+)s/.exec(d); return m ? 1 + m[1] / (+m[1] + 1e6) : 1.9999; }
	return /^D[023]/.test(d) ? +d[1] : 9;
}
function badge(c) {
	const base = c.durability.replace(/\+D4/, '');
	const box = h('span', {title: c.risk}, h('span', {class: 'badge ' + (/^D\d/.test(base) ? base.slice(0, 2) : 'D3')}, base));
	if (c.single_device) box.append(h('span', {class: 'badge D4', title: 'one failing device loses data'}, 'D4'));
	return box;
}

/* A short key for each cell, the same in every picture: C is the control, numbers go by the primary metric, best first. */
const primary = M.metrics[M.primary];
const better = (a, b) => primary.better === 'higher' ? b - a : a - b;
const value = (c, metric) => c.metrics[metric] ? c.metrics[metric].median : null;
const measured = cells.filter(c => value(c, M.primary) !== null).sort((a, b) => better(value(a, M.primary), value(b, M.primary)));
const key = new Map();
measured.filter(c => c !== control).forEach((c, i) => key.set(c.id, String(i + 1)));
key.set(control.id, 'C');
const name = c => c === control ? 'control' : '#' + (key.get(c.id) || '?');
/* Where labels are long the name spaces go first: "block.scheduler=none" is "scheduler=none"; the whole stands in the tooltip. */
const brief = c => c.label.length > 40 ? c.label.replace(/(^| )[^ =]*\.(?=[^ =.]+=)/g, '$1') : c.label;
const title = c => c.label === name(c) ? c.label : name(c) + ' ' + brief(c);
const runsOf = c => M.runs.filter(r => r.cell === c.id && r.outcome === 'ok');

const other = byId.get(M.recommended) !== control && byId.get(M.recommended) || measured.find(c => c !== control) || control;

/* The view is in the address, so that it can be pasted into a ticket. */
const state = Object.assign({sort: M.primary, risk: 'all', find: '', a: M.control, b: other.id, shade: 'rank', hue: 'op', y: 'log', rows: '', crop: '0', only: '', box: ''},
	Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
const listeners = [];
function change(what) {
	Object.assign(state, what);
	const kept = Object.entries(state).filter(([, v]) => v !== '' && v !== null);
	history.replaceState(null, '', '#' + new URLSearchParams(kept));
	for (const [keys, redraw] of listeners) if (keys.some(k => k in what)) redraw();
}
const onChange = (keys, redraw) => { listeners.push([keys, redraw]); redraw(); };
function choose(label, k, options) {
	const list = h('select', {onchange: e => change({[k]: e.target.value})}, options.map(([v, text]) => h('option', {value: v, selected: String(state[k]) === v}, text)));
	return h('label', {}, label, list);
}

const tip = h('div', {class: 'tip', hidden: true});
document.body.append(tip);
function hover(node, text) {
	node.addEventListener('pointermove', e => {
		tip.textContent = typeof text === 'function' ? text(e) : text;
		tip.hidden = !tip.textContent;
		tip.style.left = Math.max(4, Math.min(e.clientX + 14, innerWidth - tip.offsetWidth - 8)) + 'px';
		tip.style.top = Math.max(4, Math.min(e.clientY + 16, innerHeight - tip.offsetHeight - 8)) + 'px';
	});
	node.addEventListener('pointerleave', () => { tip.hidden = true; });
	return node;
}

/* A rgb triple of a custom property, whatever the colour scheme. */
function rgb(property) {
	const text = getComputedStyle(document.documentElement).getPropertyValue(property).trim();
	return [1, 3, 5].map(i => parseInt(text.slice(i, i + 2), 16));
}

/* Histograms: base-2 log-linear buckets, lib/hist.h. */
function bucketLow(i, bits) {
	return i < 2 << bits ? i : ((1 << bits) + (i & ((1 << bits) - 1))) * 2 ** ((i >> bits) - 1);
}
function bucketOf(v, bits) {
	if (v < 2 << bits) return Math.floor(v);
	let e = Math.floor(Math.log2(v)) - bits;
	if (Math.floor(v / 2 ** e) >= 2 << bits) e++;
	if (Math.floor(v / 2 ** e) < 1 << bits) e--;
	return ((e + 1) << bits) + Math.floor(v / 2 ** e) - (1 << bits);
}
/* base64 of: per column varint(entries), then varint(gap) varint(count) each. */
function columns(text) {
	const bytes = atob(text), all = [];
	let at = 0;
	const varint = () => {
		let v = 0, scale = 1, b;
		do { b = bytes.charCodeAt(at++); v += (b & 127) * scale; scale *= 128; } while (b & 128);
		return v;
	};
	while (at < bytes.length) {
		const column = [];
		let bucket = 0;
		for (let n = varint(); n > 0; n--) { bucket += varint(); column.push([bucket, varint()]); }
		all.push(column);
	}
	return all;
}
/* The bucket in which the share q of sorted [bucket,count] pairs lies, as the C side picks it. */
function quantileBucket(pairs, q) {
	let n = 0, seen = 0;
	for (const p of pairs) n += p[1];
	const want = Math.floor(q * n);
	for (const p of pairs) { seen += p[1]; if (seen > want) return p[0]; }
	return pairs.length ? pairs[pairs.length - 1][0] : null;
}
const middle = (b, bits) => (bucketLow(b, bits) + bucketLow(b + 1, bits)) / 2;
function addPairs(lists) {
	const sum = new Map();
	for (const list of lists) for (const [b, c] of list) sum.set(b, (sum.get(b) || 0) + c);
	return [...sum].sort((x, y) => x[0] - y[0]);
}

/* 1-2-5 ticks. */
function linearTicks(low, high, wanted) {
	const raw = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(raw));
	const step = [1, 2, 5, 10].map(m => m * power).find(x => x >= raw), ticks = [];
	for (let v = Math.ceil(low / step) * step; v <= high * (1 + 1e-9); v += step) ticks.push(v);
	return ticks;
}
function logTicks(low, high) {
	const ticks = [];
	const decades = Math.log10(high / low), dense = decades < 1 ? [1, 1.5, 2, 3, 5, 7] : decades < 2.2 ? [1, 2, 5] : [1];
	for (let p = 10 ** Math.floor(Math.log10(low)); p <= high; p *= 10)
		for (const m of dense) if (m * p >= low && m * p <= high) ticks.push(m * p);
	return ticks;
}
function section(title, hint, ...children) {
	return h('section', {}, h('h2', {}, title), hint ? h('p', {class: 'hint'}, hint) : null, children);
}
