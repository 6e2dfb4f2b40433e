/* The still pictures: trade-off, main effects, every run's distribution, percentiles, fio against replay. */
const riskColour = c => c.single_device && !control.single_device ? 'var(--names)' : rank(c) >= 3 ? 'var(--bad)' : rank(c) >= 2 ? 'var(--write)' : rank(c) >= 1 ? 'var(--warn)' : 'var(--good)';
function mark(c, x, y) {
	const colour = riskColour(c), r = rank(c);
	if (r >= 2) return s('path', {d: `M${x},${y - 6}l6,10.5h-12z`, fill: colour});
	if (r >= 1) return s('rect', {x: x - 5, y: y - 5, width: 10, height: 10, fill: 'var(--card)', stroke: colour, 'stroke-width': 2.4});
	return s('circle', {cx: x, cy: y, r: 5.4, fill: c.single_device && !control.single_device ? 'var(--card)' : colour, stroke: colour, 'stroke-width': 2.4});
}

function tradeoff() {
	const X = M.metrics.ops_per_s ? 'ops_per_s' : M.primary, Y = 'p99_ns';
	const points = measured.filter(c => value(c, X) > 0 && value(c, Y) > 0);
	if (!points.length) return null;
	const W = 600, H = 380, left = 62, right = 16, top = 26, bottom = 44;
	const span = (metric, pad, f) => {
		const all = points.flatMap(c => [c.metrics[metric].lo, c.metrics[metric].hi]).map(f), low = Math.min(...all), high = Math.max(...all), room = Math.max(high - low, Math.abs(high) * .02) * pad;
		return [low - room, high + room];
	};
	const [x0, x1] = span(X, .1, v => v), [y0, y1] = span(Y, .12, Math.log);
	const px = v => left + (v - x0) / (x1 - x0) * (W - left - right), py = v => H - bottom - (Math.log(v) - y0) / (y1 - y0) * (H - top - bottom);
	const svg = s('svg', {viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': 'throughput against p99 latency'});
	for (const t of linearTicks(Math.max(0, x0), x1, 6)) svg.append(s('line', {class: 'grid', x1: px(t), x2: px(t), y1: top, y2: H - bottom}), s('text', {class: 'soft', x: px(t), y: H - bottom + 16, 'text-anchor': 'middle'}, format(t, '1/s').replace('/s', '')));
	for (const t of logTicks(Math.exp(y0), Math.exp(y1))) svg.append(s('line', {class: 'grid', x1: left, x2: W - right, y1: py(t), y2: py(t)}), s('text', {class: 'soft', x: left - 7, y: py(t) + 4, 'text-anchor': 'end'}, ns(t)));
	svg.append(s('text', {class: 'soft', x: (left + W - right) / 2, y: H - 8, 'text-anchor': 'middle'}, 'operations a second (better →)'), s('text', {class: 'soft', x: 4, y: 14}, 'p99 latency, logarithmic (better ↓)'));
	/* The frontier is drawn through what the allowed class lets you have. */
	const frontier = points.filter(c => c.allowed && !points.some(o => o !== c && o.allowed && value(o, X) >= value(c, X) && value(o, Y) <= value(c, Y) && (value(o, X) > value(c, X) || value(o, Y) < value(c, Y)))).sort((a, b) => value(a, X) - value(b, X));
	svg.append(s('path', {d: frontier.map((c, i) => (i ? `H${px(value(c, X))}V` : `M${px(value(c, X))},`) + py(value(c, Y))).join(''), fill: 'none', stroke: 'var(--accent)', 'stroke-opacity': .5, 'stroke-width': 1.5}));
	const taken = points.map(c => [px(value(c, X)) - 6, py(value(c, Y)) - 6, 12, 12]);
	/* The first of eight places around the point that is free; the most important points choose first. */
	const place = (x, y, text) => {
		const w = text.length * 6.6 + 4;
		for (const [dx, dy] of [[9, -7], [9, 15], [-9 - w, -7], [-9 - w, 15], [-w / 2, -12], [-w / 2, 20], [11, 4], [-11 - w, 4]]) {
			const box = [x + dx, y + dy - 11, w, 14];
			if (box[0] < left || box[0] + w > W || taken.some(t => box[0] < t[0] + t[2] && t[0] < box[0] + w && box[1] < t[1] + t[3] && t[1] < box[1] + 14)) continue;
			taken.push(box);
			return [x + dx, y + dy];
		}
		return null;
	};
	const important = c => (c === control ? 2 : 0) + (c.id === M.recommended ? 4 : 0) + (frontier.includes(c) ? 1 : 0);
	for (const c of [...points].sort((p, q) => important(q) - important(p))) {
		const a = c.metrics[X], b = c.metrics[Y], x = px(a.median), y = py(b.median);
		const group = s('g', {opacity: c.allowed ? 1 : .55}, s('line', {x1: px(a.lo), x2: px(a.hi), y1: y, y2: y, stroke: riskColour(c), 'stroke-opacity': .5}), s('line', {x1: x, x2: x, y1: py(b.lo), y2: py(b.hi), stroke: riskColour(c), 'stroke-opacity': .5}), mark(c, x, y));
		const text = name(c) + (c.id === M.recommended && !M.keep_control ? ' ★' : ''), at = points.length <= 20 || important(c) ? place(x, y, text) : null;
		if (at) group.append(s('text', {class: c.id === M.recommended ? 'strong' : '', x: at[0], y: at[1]}, text));
		svg.append(hover(group, title(c) + '\n' + format(a.median, '1/s') + ', p99 ' + ns(b.median) + '\n' + c.durability + (c.single_device ? '+D4' : '') + ': ' + c.risk));
	}
	const legend = h('div', {class: 'bar'});
	for (const [word, example] of [['D0', {durability: 'D0'}], ['D1: more unsynced seconds', {durability: 'D1:1s'}], ['D2, D3: data can be wrong or lost', {durability: 'D3'}], ['D4: one disk', {durability: 'D0', single_device: true}]])
		if (points.some(c => riskColour(c) === riskColour(example)) && !(example.single_device && control.single_device)) legend.append(h('label', {}, s('svg', {width: 14, height: 14}, mark(example, 7, 7)), word));
	return section('Throughput, latency, risk', 'Bars are the intervals of the medians; the line is the frontier within ' + M.durability_max + '.', svg, legend);
}

/* Per factor and level: the geometric mean, over the runs at that level, of the run against the mean of its block. */
function effects() {
	const factors = new Map(), settings = D.settings;
	for (const c of measured) for (const k of Object.keys(c.set || {})) factors.set(k, new Map());
	if (!factors.size) return null;
	const blocks = new Map();
	for (const r of M.runs) { const v = r.values[M.primary]; if (v > 0) blocks.set(r.block, (blocks.get(r.block) || []).concat(Math.log(v))); }
	const mean = x => x.reduce((a, b) => a + b, 0) / x.length;
	for (const r of M.runs) {
		const v = r.values[M.primary];
		if (!(v > 0)) continue;
		const c = byId.get(r.cell), deviation = Math.log(v) - mean(blocks.get(r.block));
		for (const [k, levels] of factors) {
			const set = (c.set && k in c.set) ? c.set[k] : (settings[c.id] || {})[k] !== undefined ? settings[c.id][k] : (settings[control.id] || {})[k];
			const level = set === undefined || set === null ? 'default' : String(set);
			levels.set(level, (levels.get(level) || []).concat(deviation));
		}
	}
	const shown = [...factors].filter(([, levels]) => levels.size > 1).map(([k, levels]) => ({k, levels: [...levels].sort((a, b) => isNaN(a[0]) || isNaN(b[0]) ? (a[0] < b[0] ? -1 : 1) : a[0] - b[0]).map(([level, x]) => {
		const m = mean(x), sd = x.length > 1 ? Math.sqrt(x.reduce((a, v) => a + (v - m) ** 2, 0) / (x.length - 1)) : 0;
		return {level, m, e: x.length > 1 ? 1.96 * sd / Math.sqrt(x.length) : 0, n: x.length};
	})}));
	const extent = Math.max(.01, ...shown.flatMap(f => f.levels.map(l => Math.abs(l.m) + l.e)));
	const W = 600, H = 160, per = 4, w = W / per, grid = h('div');
	for (let at = 0; at < shown.length; at += per) {
		const svg = s('svg', {viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': 'main effects'}), y = v => 66 - v / extent * 46;
		shown.slice(at, at + per).forEach((f, i) => {
			const x = j => i * w + 22 + (f.levels.length > 1 ? j / (f.levels.length - 1) : .5) * (w - 44);
			svg.append(s('line', {class: 'dash', x1: i * w + 6, x2: i * w + w - 6, y1: y(0), y2: y(0)}), s('path', {d: f.levels.map((l, j) => (j ? 'L' : 'M') + x(j) + ',' + y(l.m)).join(''), fill: 'none', stroke: 'var(--accent)', 'stroke-opacity': .45}));
			f.levels.forEach((l, j) => svg.append(hover(s('g', {}, s('line', {x1: x(j), x2: x(j), y1: y(l.m - l.e), y2: y(l.m + l.e), stroke: 'var(--accent)', 'stroke-width': 1.6}), s('circle', {cx: x(j), cy: y(l.m), r: 4, fill: 'var(--accent)'})), f.k + ' = ' + l.level + '\n' + percent(Math.exp(l.m)) + ' against the block’s mean, ' + l.n + ' runs'),
				s('text', {class: 'soft', x: x(j), y: 128 + (f.levels.length > 2 && j % 2 ? 12 : 0), 'text-anchor': 'middle'}, l.level.length > 12 ? l.level.slice(0, 11) + '…' : l.level)));
			svg.append(s('text', {x: i * w + w / 2, y: 156, 'text-anchor': 'middle', class: 'strong'}, f.k.length > 22 ? f.k.replace(/^.*\./, '') : f.k));
		});
		svg.append(s('text', {class: 'soft', x: 0, y: 12}, (primary.better === 'lower' ? 'lower' : 'higher') + ' is better; full height ±' + three((Math.exp(extent) - 1) * 100, '%')));
		grid.append(svg);
	}
	return section('Main effects on ' + primary.title, 'Each setting averaged over everything else that varied, against the mean of the block, ±95% of the runs at that level. Read it as the effect of the setting only where the sweep crosses it with the others.', grid);
}

function scaleY(low, high, bits) { const a = bucketOf(low, bits), b = bucketOf(high, bits) + 1; return {a, b, rows: b - a}; }

/* One column a run, one row a bucket, all runs under one shade table. */
function distributions() {
	const groups = measured.filter(c => D.runs.some(r => r.cell === c.id));
	if (!groups.length) return null;
	const hist = new Map(D.runs.map(r => [r.seq, columns(r.all)[0] || []]));
	const runs = groups.flatMap(c => D.runs.filter(r => r.cell === c.id));
	const all = runs.flatMap(r => hist.get(r.seq));
	const a = all.reduce((m, p) => Math.min(m, p[0]), Infinity), b = all.reduce((m, p) => Math.max(m, p[0]), 0) + 1;
	const shades = [...new Set(all.map(p => p[1]))].sort((x, y) => x - y), shade = new Map(shades.map((v, i) => [v, (i + 1) / shades.length]));
	const W = 1240, H = 300, left = 58, bottom = 22, ratio = 2, gap = Math.max(2, Math.min(10, 300 / groups.length));
	const width = (W - left - gap * groups.length) / runs.length, row = (H - bottom - 6) / (b - a);
	const canvas = h('canvas', {width: W * ratio, height: H * ratio, role: 'img', 'aria-label': 'latency distribution of every run'}), places = [];
	const draw = () => {
		const g = canvas.getContext('2d'), ink = rgb('--ink'), card = rgb('--card'), soft = 'rgb(' + rgb('--soft') + ')';
		places.length = 0;
		g.setTransform(ratio, 0, 0, ratio, 0, 0);
		g.clearRect(0, 0, W, H);
		g.font = '11px system-ui, sans-serif';
		const y = bucket => 6 + (b - bucket - 1) * row;
		g.textAlign = 'right'; g.fillStyle = soft;
		for (const t of logTicks(Math.max(1, bucketLow(a, 3)), bucketLow(b, 3))) g.fillText(ns(t), left - 6, y(bucketOf(t, 3)) + row + 3);
		let x = left;
		for (const c of groups) {
			const start = x;
			for (const r of D.runs.filter(q => q.cell === c.id)) {
				for (const [bucket, n] of hist.get(r.seq)) {
					const k = .1 + .9 * shade.get(n), mix = i => Math.round(card[i] + ([58, 44, 120][i] * .75 + ink[i] * .25 - card[i]) * k);
					g.fillStyle = `rgb(${mix(0)},${mix(1)},${mix(2)})`;
					g.fillRect(x, y(bucket), Math.max(1, width - .6), row + .4);
				}
				const p99 = (M.runs.find(q => q.seq === r.seq) || {values: {}}).values.p99_ns;
				if (p99) { g.fillStyle = '#e02040'; g.fillRect(x, y(bucketOf(p99, 3)) + row / 2 - 1, Math.max(2, width - .6), 2.2); }
				places.push({x, w: width, r, c, p99});
				x += width;
			}
			g.textAlign = 'center'; g.fillStyle = c.id === M.recommended ? 'rgb(' + rgb('--good') + ')' : soft;
			g.font = (c.id === M.recommended ? '600 ' : '') + '11px system-ui, sans-serif';
			if (x - start > 18) g.fillText(name(c), (start + x) / 2, H - 6);
			x += gap;
		}
	};
	draw();
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
	hover(canvas, e => {
		const at = (e.clientX - canvas.getBoundingClientRect().left) / canvas.clientWidth * W, p = places.find(q => at >= q.x && at < q.x + q.w);
		return p ? title(p.c) + '\nrun ' + p.r.seq + ', p99 ' + ns(p.p99) : '';
	});
	return section('Every run, its whole latency distribution', 'One column a run, grouped by profile, best first; denser is more operations, all under one shade table; the red tick is that run’s p99. An odd run or a second mode shows here before it hides in a median.', canvas);
}

/* x is the number of nines; the right end is cut where fewer than ten operations remain. */
function percentiles() {
	const box = h('div');
	onChange(['a', 'b'], () => {
		const W = 600, H = 360, left = 62, bottom = 44, lines = [];
		const add = (label, text, colour, dash) => { const pairs = text ? columns(text)[0] : null; if (pairs && pairs.length) lines.push({label, pairs, colour, dash}); };
		add('recorded on the production host', D.recorded, 'var(--soft)', '4 3');
		const a = byId.get(state.a), b = byId.get(state.b);
		if (a) add(title(a), D.merged[a.id], 'var(--write)');
		if (b && b !== a) add(title(b), D.merged[b.id], 'var(--read)');
		if (!lines.length) { box.replaceChildren(h('p', {class: 'hint'}, 'No histograms in this sweep.')); return; }
		for (const l of lines) {
			l.n = l.pairs.reduce((m, p) => m + p[1], 0);
			l.last = Math.max(.5, Math.log10(l.n / 10));
			let seen = 0;
			l.points = l.pairs.map(([bucket, c]) => { const x = -Math.log10(1 - seen / l.n); seen += c; return [Math.abs(x), middle(bucket, 6)]; }).filter(p => p[0] <= l.last);
		}
		const most = Math.max(...lines.map(l => l.last)), values = lines.flatMap(l => l.points.map(p => p[1]));
		const y0 = Math.log(Math.max(1, Math.min(...values))), y1 = Math.log(Math.max(...values) * 1.15);
		const px = x => left + x / most * (W - left - 16), py = v => H - bottom - (Math.log(Math.max(1, v)) - y0) / (y1 - y0) * (H - bottom - 16);
		const svg = s('svg', {viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': 'latency by percentile'});
		for (let i = 0; i <= most; i++) svg.append(s('line', {class: 'grid', x1: px(i), x2: px(i), y1: 16, y2: H - bottom}), s('text', {class: 'soft', x: px(i), y: H - bottom + 16, 'text-anchor': 'middle'}, i === 0 ? '0%' : i === 1 ? '90%' : i === 2 ? '99%' : '99.' + '9'.repeat(i - 2) + '%'));
		for (const t of logTicks(Math.exp(y0), Math.exp(y1))) svg.append(s('line', {class: 'grid', x1: left, x2: W - 16, y1: py(t), y2: py(t)}), s('text', {class: 'soft', x: left - 7, y: py(t) + 4, 'text-anchor': 'end'}, ns(t)));
		svg.append(s('text', {class: 'soft', x: (left + W) / 2, y: H - 8, 'text-anchor': 'middle'}, 'share of operations that took less'));
		for (const l of lines) svg.append(s('path', {d: l.points.map((p, i) => (i ? `H${px(p[0]).toFixed(1)}V` : `M${px(p[0]).toFixed(1)},`) + py(p[1]).toFixed(1)).join(''), fill: 'none', stroke: l.colour, 'stroke-width': 2, 'stroke-dasharray': l.dash}));
		box.replaceChildren(svg, h('div', {class: 'bar'}, lines.map(l => h('label', {}, s('svg', {width: 22, height: 10}, s('line', {x1: 0, x2: 22, y1: 5, y2: 5, stroke: l.colour, 'stroke-width': 2.5, 'stroke-dasharray': l.dash})), l.label))));
	});
	return section('Latency by percentile', 'All runs of a profile merged, A and B as chosen above; each line ends where fewer than ten operations remain.', box);
}

function fioRanks() {
	if (!M.fio || !M.fio.ranking || M.fio.ranking.length < 2) return null;
	const list = M.fio.ranking, H = 40 + list.length * 22, W = 600, y = r => 40 + (r - 1) * 22;
	const svg = s('svg', {viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': 'rank by fio against rank by replay'});
	svg.append(s('text', {class: 'strong', x: 200, y: 16, 'text-anchor': 'end'}, 'fio would say'), s('text', {class: 'strong', x: 400, y: 16}, 'your trace says'));
	const used = {rank: new Map(), replay_rank: new Map()};
	const place = (r, k) => { const n = used[k].get(r[k]) || 0; used[k].set(r[k], n + 1); return y(r[k] + n); };
	for (const r of list) {
		const c = byId.get(r.id), far = Math.abs(r.rank - r.replay_rank) >= Math.max(2, list.length / 4), y1 = place(r, 'rank'), y2 = place(r, 'replay_rank');
		const short = c.label.length > 24 ? c.label.slice(0, 23) + '…' : c.label, text = c === control ? 'control' : short;
		svg.append(hover(s('g', {}, s('line', {x1: 208, x2: 392, y1: y1 - 4, y2: y2 - 4, stroke: far ? 'var(--bad)' : 'var(--soft)', 'stroke-width': far ? 2 : 1, 'stroke-opacity': far ? .9 : .6}),
			s('text', {x: 200, y: y1, 'text-anchor': 'end', class: c.id === M.recommended ? 'strong' : ''}, text + '  ' + r.rank), s('text', {x: 400, y: y2, class: c.id === M.recommended ? 'strong' : ''}, r.replay_rank + '  ' + text)),
			c.label + '\nfio ' + percent(r.score_ratio) + ' IOPS, replay ' + percent(c === control ? 1 : c.metrics[M.primary].ratio) + ' ' + primary.title));
	}
	const chosen = byId.get(M.fio.would_choose);
	return section('Would fio have chosen the same?', 'Kendall’s τ = ' + (M.fio.kendall_tau === null ? '–' : M.fio.kendall_tau.toFixed(2)) + ' over ' + M.fio.cells + ' profiles (1 same order, 0 unrelated). ' +
		(chosen ? 'Within ' + M.durability_max + ' fio would choose ' + chosen.label + (M.fio.would_cost_ratio <= 1.0005 ? ', as the trace does.' : M.fio.would_cost_shown ? ', which costs ' + percent(M.fio.would_cost_ratio) + ' on this trace.' : ', which is not shown to be slower than the best.') : ''), svg,
		h('p', {class: 'hint'}, M.fio.jobs.map(j => j.name + ': τ ' + (j.kendall_tau === null ? '–' : j.kendall_tau.toFixed(2))).join(' · ')));
}
