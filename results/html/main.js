/* Settings, machine, checks; then the page in its order. */
function settings() {
	const rows = [];
	for (const c of cells) {
		const applied = D.applied[c.id];
		if (!applied) continue;
		for (const [knob, k] of Object.entries(applied.knobs || {}))
			if (c === control || (c.set && knob in c.set) || k.outcome !== 'ok')
				rows.push(h('tr', {class: k.outcome === 'ok' ? null : 'notok'}, h('td', {class: 'l'}, name(c)), h('td', {class: 'l'}, knob), h('td', {class: 'l'}, String(k.wanted)), h('td', {class: 'l'}, k.effective === null || k.effective === undefined ? '–' : typeof k.effective === 'object' ? JSON.stringify(k.effective) : String(k.effective)),
					h('td', {class: 'l'}, h('span', {class: k.outcome === 'ok' ? 'ok' : 'FAIL'}, k.outcome)), h('td', {class: 'why'}, k.reason || k.where || '')));
	}
	if (!rows.length) return null;
	return section('Settings, as they were read back', 'Each setting was read back after it was applied; the control in full, of the others what differs. A run whose settings did not hold is not a number.',
		h('details', {}, h('summary', {}, count(rows.length) + ' settings'), h('div', {class: 'scroll'}, h('table', {}, h('thead', {}, h('tr', {}, ['profile', 'setting', 'asked', 'read back', '', 'where, why'].map(t => h('th', {class: 'l'}, t)))), h('tbody', {}, rows)))),
		D.commands.length ? h('details', {}, h('summary', {}, 'commands of the control'), h('pre', {}, D.commands.join('\n'))) : null);
}

function environment() {
	const box = M.box || {}, rows = [];
	const add = (k, v) => { if (v !== undefined && v !== null && v !== '') rows.push(h('tr', {}, h('td', {class: 'l num'}, k), h('td', {class: 'label'}, String(v)))); };
	add('box', box.host); add('kernel', box.kernel);
	if (box.cpu) add('CPU', (box.cpu.model || '?') + ', ' + box.cpu.count + ' processors');
	if (box.memory_bytes) add('memory', format(box.memory_bytes, 'bytes'));
	for (const d of box.disks || []) add('disk ' + (d.name || ''), [d.model, d.serial, d.wwn, d.size_bytes ? format(d.size_bytes, 'bytes') : null, d.rotational === true ? 'rotating' : null, d.file].filter(Boolean).join(', '));
	add('trace', [M.trace && M.trace.file, M.trace && M.trace.events ? count(M.trace.events) + ' events' : null].filter(Boolean).join(', '));
	add('trace sha256', M.trace && M.trace.sha256);
	add('replay', Object.entries(M.replay || {}).map(([k, v]) => k + ' ' + v).join(', '));
	add('sweep', [M.sweep.name, M.sweep.blocks + ' blocks', 'seed ' + M.sweep.seed, M.sweep.runs_ok + ' of ' + M.sweep.runs_planned + ' runs count', M.sweep.complete ? 'complete' : 'not finished'].filter(Boolean).join(', '));
	add('iorig', D.version);
	return section('Machine and method', 'A test box is not production: compare these with where the settings will go.', h('table', {}, h('tbody', {}, rows)),
		h('p', {class: 'hint'}, 'Ratios: ln(metric) = block + profile + error by least squares, one residual variance pooled over the profiles; Holm’s correction over the profiles; better, worse and same need the whole 95% interval beyond or within ±' + three(M.min_effect_ratio * 100, '%') + '. Percentiles come from merged histograms and are never averaged.'));
}

function checks() {
	return section('Checks', 'Was this a measurement of the storage at all?', h('table', {class: 'checks'}, h('tbody', {}, M.checks.map(c => h('tr', {}, h('td', {class: c.status}, c.status), h('td', {}, c.name), h('td', {}, c.text))),
		M.warnings.map(w => h('tr', {}, h('td', {class: 'WARN'}, 'note'), h('td', {}, 'sweep directory'), h('td', {}, w))))));
}

const pair = (a, b) => a && b ? h('div', {class: 'two'}, a, b) : a || b;
(() => {
	const main = document.querySelector('main'), began = performance.now();
	const parts = [verdict, matrix, () => pair(tradeoff(), effects()), distributions, heatmaps, () => pair(percentiles(), fioRanks()), checks, settings, environment];
	document.getElementById('plain').remove();
	for (const part of parts) {
		/* One picture that cannot be drawn must not take the others with it. */
		try {
			const node = part();
			if (node) main.append(node);
		} catch (error) {
			main.append(h('section', {class: 'fail'}, 'This part could not be drawn: ' + error.message));
			console.error(error);
		}
	}
	main.append(h('footer', {}, 'One file, no network: the page’s policy forbids it. Drawn in ' + Math.round(performance.now() - began) + ' ms.'));
	document.documentElement.dataset.drawn = 'yes';
})();
