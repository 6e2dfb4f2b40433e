/* Verdict and matrix. */
function verdict() {
	const best = M.recommended && byId.get(M.recommended), take = best && !M.keep_control;
	const facts = [];
	const fact = (term, text, small) => facts.push(h('div', {}, h('dt', {}, term), h('dd', {}, text, small ? h('small', {}, ' ' + small) : null)));
	if (take) {
		for (const [metric, term] of [[M.primary, primary.title], ['p99_ns', 'p99 latency'], ['fsync_p99_ns', 'fsync p99']]) {
			const e = best.metrics[metric];
			if (e && e.ratio !== null)
				fact(term + ' against the control', e.difference_shown ? percent(e.ratio) : '~',
					e.ratio_ci95[0] !== null ? '[' + percent(e.ratio_ci95[0]) + ', ' + percent(e.ratio_ci95[1]) + ']' : '');
		}
		fact('at risk', best.durability, best.durability === 'D0' ? 'nothing new' : '');
	}
	if (M.mde_ratio !== null) fact('this sweep sees effects from', three(M.mde_ratio * 100, '%'), 'noise ' + three(M.noise_ratio * 100, '%'));
	if (M.fio && M.fio.kendall_tau !== null) fact('does fio agree?', 'τ = ' + M.fio.kendall_tau.toFixed(2), M.fio.kendall_tau >= 0.7 ? 'mostly' : M.fio.kendall_tau >= 0.4 ? 'partly' : 'no');
	return h('div', {class: 'verdict' + (take ? ' take' : '')}, h('p', {class: 'say'}, D.verdict), D.unsafe ? h('p', {class: 'unsafe'}, D.unsafe) : null,
		facts.length ? h('dl', {class: 'facts'}, facts) : null);
}

/* One scale per column, so that strips can be compared down the page. */
function dotScale(metric) {
	const all = M.runs.map(r => r.values[metric]).filter(v => v > 0);
	const low = Math.log(Math.min(...all)), high = Math.log(Math.max(...all));
	return v => 4 + (high > low ? (Math.log(v) - low) / (high - low) : 0.5) * 64;
}
function dots(c, metric, x) {
	const unit = M.metrics[metric].unit, base = value(control, metric);
	const strip = s('svg', {class: 'dots', width: 72, height: 14, 'aria-hidden': 'true'});
	if (base > 0) strip.append(s('line', {x1: x(base), x2: x(base), y1: 0, y2: 14, class: 'dash'}));
	for (const r of runsOf(c)) {
		const v = r.values[metric];
		if (v > 0) strip.append(hover(s('circle', {cx: x(v), cy: 7, r: 2.4, fill: 'var(--accent)', 'fill-opacity': .65}), 'run ' + r.seq + ', block ' + r.block + ': ' + format(v, unit)));
	}
	return strip;
}

function numberCell(c, metric, scale) {
	const e = c.metrics[metric], unit = M.metrics[metric].unit;
	if (!e) return h('td', {class: 'num'}, '–');
	const shown = c === control ? '' : e.difference_shown ? percent(e.ratio) : '~';
	const cell = h('td', {}, format(e.median, unit), ' ', h('span', {class: 'pct ' + (e.difference_shown ? e.verdict : '')}, shown), scale ? dots(c, metric, scale) : null);
	const lines = ['median of ' + e.n + (e.n === 1 ? ' run' : ' runs') + ', ' + (e.interval === 'range' ? 'range ' : (e.coverage * 100).toFixed(1) + '% interval ') + format(e.lo, unit) + ' to ' + format(e.hi, unit)];
	if (c !== control && e.ratio !== null) {
		lines.push('against the control ' + percent(e.ratio) + (e.ratio_ci95[0] !== null ? ' [' + percent(e.ratio_ci95[0]) + ', ' + percent(e.ratio_ci95[1]) + ']' : ''));
		if (e.p_holm !== null) lines.push('p ' + e.p_holm.toPrecision(2) + ' after Holm over ' + M.metrics[metric].comparisons + ', Mann-Whitney ' + (e.p_mann_whitney_holm === null ? '–' : e.p_mann_whitney_holm.toPrecision(2)));
	}
	if (e.merged) lines.push('percentile of all runs merged ' + format(e.merged, unit));
	if (e.blocks_to_decide) lines.push('would probably be decided after ' + e.blocks_to_decide + ' blocks');
	return hover(cell, lines.join('\n'));
}

function verdictCell(c) {
	const e = c.metrics[M.primary], word = c === control ? 'control' : e.verdict;
	return h('td', {class: 'l'}, h('span', {class: 'v ' + word}, word + (e.depends_on_outliers ? ' ?' : '') + (e.own_pairs ? ' ^' : '')));
}

function matrixRow(c, shownMetrics, scales) {
	const tags = [];
	if (c.id === M.recommended && !M.keep_control) tags.push('recommended');
	else if (c.id === M.recommended) tags.push('keep');
	if (c === control) tags.push('control');
	else if (c.best_set && c.id !== M.recommended) tags.push('equal to the best');
	const label = [h('td', {class: 'num l'}, key.get(c.id) || ''), h('td', {class: 'label' + (brief(c).length > 30 ? ' long' : ''), title: c.label}, brief(c), tags.map(t => h('span', {class: 'tag'}, t))), h('td', {class: 'l'}, badge(c))];
	const kind = (c.id === M.recommended ? 'recommended ' : '') + (c === control ? 'control ' : '') + (c.allowed ? '' : 'over');
	if (!c.metrics[M.primary])
		return h('tr', {class: c.allowed ? null : 'over'}, label, h('td', {class: 'why', colspan: shownMetrics.length + 1}, h('span', {class: 'outcome ' + c.outcome}, c.outcome), ' ', c.reason || ''), h('td', {class: 'num'}, c.runs + '/' + c.runs_planned));
	return h('tr', {class: kind}, label, numberCell(c, M.primary, scales[M.primary]), verdictCell(c), shownMetrics.slice(1).map(m => numberCell(c, m, scales[m])),
		hover(h('td', {class: 'num'}, c.runs + '/' + c.runs_planned + (c.reason ? ' !' : '')), c.reason || c.runs + ' runs count'));
}

function matrix() {
	const wanted = [M.primary, 'ops_per_s', 'p99_ns', 'p999_ns', 'fsync_p99_ns', 'read_p99_ns'];
	const metrics = [...new Set(wanted)].filter(m => M.metrics[m] && cells.some(c => c.metrics[m])).slice(0, cells.some(c => brief(c).length > 40) ? 4 : 5);
	const scales = {};
	for (const m of [M.primary, 'p99_ns']) if (metrics.includes(m)) scales[m] = dotScale(m);
	const body = h('tbody'), head = h('tr');
	onChange(['sort', 'risk', 'find'], () => {
		const metric = M.metrics[state.sort] ? state.sort : M.primary, up = M.metrics[metric].better === 'higher';
		const order = c => { const v = value(c, metric); return v === null ? Infinity : up ? -v : v; };
		const words = state.find.toLowerCase().split(/[\s,]+/).filter(Boolean);
		const rows = cells.filter(c => c === control || ((state.risk === 'all' || rank(c) < +state.risk + 1) && words.every(w => c.label.toLowerCase().includes(w))));
		rows.sort((a, b) => order(a) - order(b) || 0);
		head.replaceChildren(h('th', {class: 'l'}, ''), h('th', {class: 'l'}, 'profile'), h('th', {class: 'l'}, 'risk'), ...metrics.flatMap((m, i) => {
			const th = h('th', {class: 'sortable', onclick: () => change({sort: m}), title: M.metrics[m].better + ' is better'}, M.metrics[m].title + (m === metric ? (up ? ' ▼' : ' ▲') : ''));
			return i === 0 ? [th, h('th', {class: 'l'}, 'verdict')] : [th];
		}), h('th', {}, 'runs'));
		body.replaceChildren(...rows.map(c => matrixRow(c, metrics, scales)));
	});
	return section('Results matrix', 'Medians of the runs; a percentage against the control stands only where p ≤ 0.05 after Holm over ' + primary.comparisons +
		' comparisons, ~ where no difference is shown. Dots are runs, one scale a column, the dashed line is the control. Point at a number for its interval.',
		h('div', {class: 'bar'}, h('label', {}, 'filter', h('input', {type: 'search', placeholder: 'bfq noatime', value: state.find, oninput: e => change({find: e.target.value})})),
			choose('durability up to', 'risk', [['0', 'D0'], ['1', 'D1'], ['2', 'D2'], ['all', 'all']])),
		h('div', {class: 'scroll'}, h('table', {}, h('thead', {}, head), body)),
		h('p', {class: 'hint'}, D.footnotes.slice(1).map(n => h('span', {}, n, h('br')))));
}
