/* The A/B latency heat maps: same axes, one shade table, counted overflow, a box to brush. */
const GROUPS = [['read', '--read', ['read', 'copy', 'readdir']], ['write', '--write', ['write', 'truncate', 'allocate', 'mmap']], ['fsync', '--fsync', ['fsync']],
	['names', '--names', ['open', 'close', 'create', 'unlink', 'rename']], ['meta', '--meta', []]];
const groupOf = op => { const i = GROUPS.findIndex(g => g[2].includes(op)); return i < 0 ? 4 : i; };
const decoded = new Map();
function mapOf(id) {
	const raw = D.maps.find(m => m.cell === id);
	if (!raw) return null;
	if (!decoded.has(id)) {
		const ops = Object.entries(raw.op).map(([op, text]) => ({op, group: groupOf(op), columns: columns(text)}));
		const map = {id, raw, ops, bits: raw.bits, dt: raw.dt_ns, width: Math.max(1, ...ops.map(o => o.columns.length)), n: 0};
		map.pairs = addPairs(ops.flatMap(o => o.columns));
		map.n = map.pairs.reduce((a, p) => a + p[1], 0);
		decoded.set(id, map);
	}
	return decoded.get(id);
}
const coarse = (b, from, to) => from === to ? b : bucketOf(bucketLow(b, from), to);

/* Fine rows only where they stay filled: the median non-empty cell should hold at least four operations. */
function autoBits(maps) {
	for (let bits = maps[0].bits; bits > 1; bits--) {
		const filled = [];
		for (const m of maps) for (let t = 0; t < m.width; t += 7) {
			const cell = new Map();
			for (const o of m.ops) for (const [b, c] of o.columns[t] || []) cell.set(coarse(b, m.bits, bits), (cell.get(coarse(b, m.bits, bits)) || 0) + c);
			filled.push(...cell.values());
		}
		filled.sort((x, y) => x - y);
		if (!filled.length || filled[filled.length >> 1] >= 4) return bits;
	}
	return 2;
}

/* Rows shared by all maps on the page. Log: a row is a bucket. Linear: 64 equal rows below the cut. */
function rowsFor(maps, view) {
	const low = Math.min(...maps.map(m => m.pairs.length ? m.pairs[0][0] : 0)), high = Math.max(...maps.map(m => m.pairs.length ? m.pairs[m.pairs.length - 1][0] : 0));
	const bits = maps[0].bits, q = 1 - view.crop / 100;
	const cut = view.crop > 0 ? Math.max(...maps.map(m => quantileBucket(m.pairs, q))) + 1 : high + 1;
	if (view.y === 'lin') {
		const top = bucketLow(cut, bits), n = 64;
		return {cut, n, lin: true, top, edge: i => top * i / n, of: v => Math.max(0, Math.min(n, v / top * n))};
	}
	const a = coarse(low, bits, view.bits), n = coarse(cut - 1, bits, view.bits) + 1 - a;
	const position = v => { const b = bucketOf(v, view.bits), l = bucketLow(b, view.bits), u = bucketLow(b + 1, view.bits); return b - a + (v - l) / (u - l); };
	return {cut, n, lin: false, edge: i => bucketLow(a + i, view.bits), of: v => Math.max(0, Math.min(n, position(Math.max(v, bucketLow(a, view.bits))))), a};
}

/* grid[group][column * rows + row]; what lies beyond the cut is counted apart, never dropped: the sums are checked and shown. */
function gridOf(map, rows, view) {
	const grid = GROUPS.map(() => null), over = new Float64Array(map.width);
	let total = 0;
	for (const o of map.ops) {
		if (view.only !== '' && +view.only !== o.group) continue;
		const g = grid[o.group] || (grid[o.group] = new Float64Array(map.width * rows.n));
		o.columns.forEach((column, t) => {
			for (const [b, c] of column) {
				total += c;
				if (b >= rows.cut) { over[t] += c; continue; }
				if (!rows.lin) { g[t * rows.n + coarse(b, map.bits, view.bits) - rows.a] += c; continue; }
				const from = rows.of(bucketLow(b, map.bits)), to = rows.of(bucketLow(b + 1, map.bits));
				for (let i = Math.floor(from); i < to && i < rows.n; i++) g[t * rows.n + i] += c * (Math.min(to, i + 1) - Math.max(from, i)) / (to - from);
			}
		});
	}
	let kept = 0;
	for (const g of grid) if (g) for (const v of g) kept += v;
	const beyond = over.reduce((x, y) => x + y, 0);
	return {grid, over, total, beyond, balanced: Math.abs(kept + beyond - total) < 1e-6 * Math.max(1, total)};
}

/* One table for all maps that are shown together; equal counts get equal shades. */
function shadeTable(grids, how) {
	const totals = [];
	for (const g of grids) {
		const n = g.grid.find(Boolean);
		if (!n) continue;
		for (let i = 0; i < n.length; i++) { let v = 0; for (const one of g.grid) if (one) v += one[i]; if (v > 0) totals.push(v); }
	}
	totals.sort((x, y) => x - y);
	const max = totals.length ? totals[totals.length - 1] : 1;
	if (how === 'linear') return v => v / max;
	if (how === 'log') return v => Math.log1p(v) / Math.log1p(max);
	return v => { let a = 0, b = totals.length; while (a < b) { const m = (a + b) >> 1; if (totals[m] <= v * (1 + 1e-12)) a = m + 1; else b = m; } return a / totals.length; };
}

function paint(map, g, rows, shade, view) {
	const image = new ImageData(map.width, rows.n), card = rgb('--card'), ink = rgb('--accent'), hue = GROUPS.map(x => rgb(x[1]));
	for (let t = 0; t < map.width; t++) for (let i = 0; i < rows.n; i++) {
		let v = 0; const mix = [0, 0, 0];
		g.grid.forEach((one, k) => { if (one) { const c = one[t * rows.n + i]; v += c; for (let j = 0; j < 3; j++) mix[j] += c * (view.hue === 'op' ? hue[k] : ink)[j]; } });
		const at = ((rows.n - 1 - i) * map.width + t) * 4, k = v > 0 ? .14 + .86 * shade(v) : 0;
		for (let j = 0; j < 3; j++) image.data[at + j] = v > 0 ? card[j] + (mix[j] / v - card[j]) * k : card[j];
		image.data[at + 3] = 255;
	}
	const small = document.createElement('canvas');
	small.width = map.width; small.height = rows.n;
	small.getContext('2d').putImageData(image, 0, 0);
	return small;
}

const MAP = {W: 610, H: 400, left: 58, right: 44, top: 16, plot: 300};
function strip(g, y, height, values, colour, label, note, x0, x1) {
	const max = Math.max(...values, 1e-12), w = (x1 - x0) / values.length;
	g.fillStyle = colour;
	values.forEach((v, i) => g.fillRect(x0 + i * w, y + height - v / max * height, Math.max(w, .7), v / max * height));
	g.fillStyle = 'rgb(' + rgb('--soft') + ')'; g.textAlign = 'right'; g.fillText(label, x0 - 6, y + height - 1);
	g.textAlign = 'left'; g.fillText(note(max), x1 + 4, y + height - 1);
}
function drawMap(canvas, map, g, rows, shade, view, span) {
	const ratio = 2, c = canvas.getContext('2d'), x0 = MAP.left, x1 = MAP.W - MAP.right, y0 = MAP.top, y1 = MAP.top + MAP.plot, soft = 'rgb(' + rgb('--soft') + ')', ink = 'rgb(' + rgb('--ink') + ')';
	const px = x0 + (x1 - x0) * Math.min(1, map.width * map.dt / span), py = v => y1 - rows.of(v) / rows.n * (y1 - y0);
	canvas.width = MAP.W * ratio; canvas.height = MAP.H * ratio;
	c.setTransform(ratio, 0, 0, ratio, 0, 0);
	c.imageSmoothingEnabled = false;
	c.drawImage(paint(map, g, rows, shade, view), x0, y0, px - x0, y1 - y0);
	c.strokeStyle = 'rgb(' + rgb('--line') + ')'; c.strokeRect(x0 - .5, y0 - .5, x1 - x0 + 1, y1 - y0 + 1);
	c.font = '11px system-ui, sans-serif'; c.fillStyle = soft; c.textAlign = 'right';
	const ticks = rows.lin ? linearTicks(0, rows.top, 6) : logTicks(Math.max(1, rows.edge(0)), rows.edge(rows.n));
	for (const t of ticks) { const y = py(t); if (y >= y0 - 1 && y <= y1 + 1) { c.fillText(ns(t), x0 - 6, y + 4); c.fillRect(x0 - 4, y - .5, 4, 1); } }
	c.textAlign = 'center';
	for (const t of linearTicks(0, span / 1e9, 6)) c.fillText(t + ' s', x0 + (x1 - x0) * t * 1e9 / span, y1 + 14);
	/* Overflow: a red strip above the map, as dark as there is more. */
	const most = Math.max(...g.over, 1), w = (px - x0) / map.width;
	g.over.forEach((v, t) => { if (v > 0) { c.fillStyle = `rgba(210,30,40,${.35 + .65 * v / most})`; c.fillRect(x0 + t * w, 4, Math.max(1, w), 8); } });
	/* Margin: how many operations a row holds, logarithmic. */
	c.fillStyle = 'rgb(' + rgb('--soft') + ')'; c.globalAlpha = .55;
	const sums = new Float64Array(rows.n);
	for (const one of g.grid) if (one) one.forEach((v, i) => { sums[i % rows.n] += v; });
	const top = Math.log1p(Math.max(...sums)), height = (y1 - y0) / rows.n;
	sums.forEach((v, i) => { if (v > 0) c.fillRect(x1 + 3, y1 - (i + 1) * height, Math.log1p(v) / top * (MAP.right - 6), height + .3); });
	c.globalAlpha = 1;
	/* Percentiles come from the whole histogram, not from what the crop left. */
	const pairs = view.only === '' ? map.pairs : addPairs(map.ops.filter(o => o.group === +view.only).flatMap(o => o.columns));
	let clear = Infinity;
	c.setLineDash([4, 3]); c.textAlign = 'left';
	for (const [q, word] of [[.999, 'p99.9'], [.99, 'p99'], [.5, 'p50']]) {
		const b = quantileBucket(pairs, q);
		if (b === null || b >= rows.cut) continue;
		const v = middle(b, map.bits), y = py(v), text = word + ' ' + ns(v), tw = c.measureText(text).width;
		c.strokeStyle = ink; c.beginPath(); c.moveTo(x0, y); c.lineTo(x1, y); c.stroke();
		/* A label goes above its line, or below where the last one is in the way. */
		const at = Math.abs(clear - y) < 14 ? y + 14 : y;
		clear = y;
		c.fillStyle = 'rgba(' + rgb('--card') + ',.85)'; c.fillRect(x0 + 4, at - 14, tw + 6, 13);
		c.fillStyle = ink; c.fillText(text, x0 + 7, at - 4);
	}
	c.setLineDash([]);
	const ops = new Float64Array(map.width), flight = new Float64Array(map.width);
	for (const o of map.ops) if (view.only === '' || +view.only === o.group) o.columns.forEach((column, t) => { for (const [b, n] of column) { ops[t] += n; flight[t] += n * middle(b, map.bits) / map.dt; } });
	strip(c, y1 + 22, 24, ops, soft, 'ops/s', m => three(m * 1e9 / map.dt, ''), x0, px);
	strip(c, y1 + 52, 24, flight, 'rgb(' + rgb('--bad') + ')', 'in flight', m => three(m, ''), x0, px);
	const box = boxOf();
	if (box) {
		const bx = x0 + (x1 - x0) * box.t0 / span, bw = (x1 - x0) * (box.t1 - box.t0) / span, top2 = py(bucketLow(box.b1, map.bits)), bottom = py(bucketLow(box.b0, map.bits));
		c.strokeStyle = ink; c.lineWidth = 1.6; c.strokeRect(bx, top2, bw, bottom - top2); c.lineWidth = 1;
	}
}

/* The box is kept as times and buckets of the data, so that it means the same in both maps and in every view. */
function boxOf() {
	const p = state.box.split(',').map(Number);
	return p.length === 4 && p.every(Number.isFinite) && p[1] > p[0] && p[3] > p[2] ? {t0: p[0] * 1e9, t1: p[1] * 1e9, b0: p[2], b1: p[3]} : null;
}
function boxTable(maps) {
	const box = boxOf();
	if (!box) return h('p', {class: 'hint'}, 'Drag a box over either map: both show it, and a table says what lies in it.');
	const bits = maps[0].bits, rows = [];
	for (const m of maps) {
		const c0 = Math.floor(box.t0 / m.dt), c1 = Math.ceil(box.t1 / m.dt);
		GROUPS.forEach(([word], k) => {
			const inside = new Map();
			let n = 0, time = 0, windowN = 0, windowTime = 0;
			for (const o of m.ops) if (o.group === k) for (let t = c0; t < c1; t++) for (const [b, c] of o.columns[t] || []) {
				windowN += c; windowTime += c * middle(b, bits);
				if (b >= box.b0 && b < box.b1) { n += c; time += c * middle(b, bits); inside.set(b, (inside.get(b) || 0) + c); }
			}
			const pairs = [...inside].sort((x, y) => x[0] - y[0]), at = q => pairs.length ? ns(middle(quantileBucket(pairs, q), bits)) : '–';
			if (windowN) rows.push(h('tr', {}, h('td', {class: 'l'}, name(byId.get(m.id))), h('td', {class: 'l'}, word), h('td', {}, count(n)), h('td', {}, share(n / windowN)), h('td', {}, share(time / windowTime)), h('td', {}, at(.5)), h('td', {}, at(.99))));
		});
	}
	const slow = [];
	for (const m of maps) for (const e of m.raw.exemplars) {
		const b = bucketOf(e.lat_ns, bits);
		if (e.t_ns >= box.t0 && e.t_ns < box.t1 && b >= box.b0 && b < box.b1) slow.push([m, e]);
	}
	slow.sort((x, y) => y[1].lat_ns - x[1].lat_ns);
	return h('div', {}, h('h3', {}, 'Box: ' + (box.t0 / 1e9).toFixed(2) + ' to ' + (box.t1 / 1e9).toFixed(2) + ' s, ' + ns(bucketLow(box.b0, bits)) + ' to ' + ns(bucketLow(box.b1, bits)) + ' ', h('button', {onclick: () => change({box: ''})}, 'clear')),
		h('div', {class: 'scroll'}, h('table', {}, h('thead', {}, h('tr', {}, ['profile', 'operation', 'ops in box', 'of the ops in this time', 'of the I/O time in this time', 'p50 in box', 'p99 in box'].map((t, i) => h('th', {class: i < 2 ? 'l' : null}, t)))), h('tbody', {}, rows))),
		slow.length ? h('div', {class: 'scroll'}, h('h3', {}, 'Slowest recorded examples in the box'), h('table', {}, h('thead', {}, h('tr', {}, ['profile', 'time', 'operation', 'latency', 'offset', 'bytes', 'file'].map((t, i) => h('th', {class: i === 0 || i === 2 || i === 6 ? 'l' : null}, t)))),
			h('tbody', {}, slow.slice(0, 12).map(([m, e]) => h('tr', {}, h('td', {class: 'l'}, name(byId.get(m.id))), h('td', {}, (e.t_ns / 1e9).toFixed(2) + ' s'), h('td', {class: 'l'}, e.op), h('td', {}, ns(e.lat_ns)), h('td', {}, e.offset === undefined || e.offset === null ? '–' : count(e.offset)), h('td', {}, e.length ? count(e.length) : '–'), h('td', {class: 'label'}, e.path || '')))))) : null);
}

function heatmaps() {
	if (!D.maps.length) return null;
	const have = measured.filter(c => D.maps.some(m => m.cell === c.id));
	if (!have.some(c => c.id === state.a)) state.a = have[0].id;
	if (!have.some(c => c.id === state.b)) state.b = (have.find(c => c !== control) || have[0]).id;
	const options = have.map(c => [c.id, title(c).length > 46 ? title(c).slice(0, 45) + '…' : title(c)]);
	const legend = h('div', {class: 'bar'}), area = h('div', {class: 'two'}), table = h('div'), note = h('p', {class: 'hint'});
	onChange(['a', 'b', 'shade', 'hue', 'y', 'rows', 'crop', 'only', 'box'], () => {
		const maps = [...new Set([state.a, state.b])].map(mapOf).filter(Boolean);
		const view = {y: state.y, hue: state.hue, only: state.only, crop: +state.crop, bits: state.rows ? Math.min(+state.rows, maps[0].bits) : autoBits(maps)};
		const rows = rowsFor(maps, view), grids = maps.map(m => gridOf(m, rows, view)), shade = shadeTable(grids, state.shade), span = Math.max(...maps.map(m => m.width * m.dt));
		area.replaceChildren(...maps.map((m, i) => {
			const canvas = h('canvas', {role: 'img', 'aria-label': 'latency heat map of ' + byId.get(m.id).label}), g = grids[i];
			drawMap(canvas, m, g, rows, shade, view, span);
			brush(canvas, rows, span, m);
			return h('div', {}, h('h3', {class: 'map', title: byId.get(m.id).label}, 'AB'[i] + ': ' + title(byId.get(m.id))),
				h('p', {class: 'mapnote'}, count(m.n) + ' operations, run ' + m.raw.seq + ' ', g.beyond ? h('span', {class: 'beyond'}, '▲ ' + count(g.beyond) + ' (' + share(g.beyond / g.total) + ') above ' + ns(bucketLow(rows.cut, m.bits)) + ', the red strip') : null), canvas);
		}));
		const balanced = grids.every(g => g.balanced);
		note.className = balanced ? 'hint' : 'fail';
		note.textContent = balanced ? 'Every operation is in the picture: cells and overflow add up to ' + grids.map(g => count(g.total)).join(' and ') + '.' : 'The cells do not add up to the operations: do not trust this picture.';
		table.replaceChildren(boxTable(maps));
		const present = new Set(maps.flatMap(m => m.ops.map(o => o.group)));
		legend.replaceChildren(...GROUPS.map(([word, colour], k) => {
			if (!present.has(k)) return null;
			const patch = h('span', {class: 'swatch'});
			patch.style.background = `var(${colour})`;
			return h('button', {'aria-pressed': String(state.only === '' || +state.only === k), title: 'show only these', onclick: () => change({only: state.only === String(k) ? '' : String(k)})}, patch, ' ' + word);
		}).filter(Boolean), choose('A', 'a', options), choose('B', 'b', options), choose('shade', 'shade', [['rank', 'rank: faint detail'], ['log', 'logarithmic'], ['linear', 'linear']]), choose('hue', 'hue', [['op', 'by operation'], ['one', 'single']]),
			choose('latency', 'y', [['log', 'log-linear'], ['lin', 'linear']]), choose('rows an octave', 'rows', [['', 'auto'], ['1', '2'], ['2', '4'], ['3', '8']]), choose('crop', 'crop', [['0', 'nothing'], ['0.01', '0.01%'], ['0.1', '0.1%'], ['1', '1%'], ['5', '5%']]));
	});
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => change({a: state.a}));
	return section('Latency over time, A against B', 'Time to the right, latency upwards, colour by operation, both maps on the same axes and under one shade table. Of each profile the run nearest its median is shown.', legend, area, note, table);
}

/* Dragging selects; the box snaps to columns and buckets, so that what is counted is what is framed. */
function brush(canvas, rows, span, map) {
	let start = null;
	const where = e => {
		const r = canvas.getBoundingClientRect(), x = (e.clientX - r.left) / r.width * MAP.W, y = (e.clientY - r.top) / r.height * MAP.H;
		const t = Math.max(0, Math.min(1, (x - MAP.left) / (MAP.W - MAP.right - MAP.left))) * span, row = Math.max(0, Math.min(rows.n, (MAP.top + MAP.plot - y) / MAP.plot * rows.n));
		const v = rows.lin ? rows.edge(row) : rows.edge(Math.floor(row)) + (row % 1) * (rows.edge(Math.floor(row) + 1) - rows.edge(Math.floor(row)));
		return {t, v, x, y};
	};
	canvas.addEventListener('pointerdown', e => { start = where(e); canvas.setPointerCapture(e.pointerId); });
	canvas.addEventListener('pointerup', e => {
		const end = where(e), from = start;
		start = null;
		if (!from || Math.abs(end.x - from.x) < 4 || Math.abs(end.y - from.y) < 4) { if (state.box) change({box: ''}); return; }
		const t0 = Math.floor(Math.min(from.t, end.t) / map.dt) * map.dt, t1 = Math.ceil(Math.max(from.t, end.t) / map.dt) * map.dt;
		change({box: [t0 / 1e9, t1 / 1e9, bucketOf(Math.min(from.v, end.v), map.bits), bucketOf(Math.max(from.v, end.v), map.bits) + 1].join(',')});
	});
}
