#include "replay/stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "replay/map.h"

int totals_init(struct totals *t)
{
	*t = (struct totals){.bin_ns = CELL_BIN_NS};
	pthread_mutex_init(&t->lock, NULL);
	return 0;
}

void totals_release(struct totals *t)
{
	for (int i = 0; i < TRACE_CLASS_COUNT; i++) {
		free(t->latency[i]);
		free(t->cell[i]);
	}
	free(t->lateness);
	free(t->service);
	free(t->exemplar);
	pthread_mutex_destroy(&t->lock);
}

static struct hist *new_hist(void)
{
	struct hist *h = malloc(sizeof(*h));

	if (h)
		hist_init(h);
	return h;
}

/* Everything of a lane in one mapping: memory is taken when it is touched, and all of it goes when the lane ends. */
struct lane_stats *lane_stats_new(uint32_t classes, bool paced)
{
	size_t hists = (size_t)__builtin_popcount(classes) + (paced ? 2 : 0);
	size_t cells = TRACE_CLASS_COUNT * sizeof(uint32_t[CELL_BUCKETS]), typical = TYPICAL * sizeof(struct exemplar);
	size_t bytes = sizeof(struct lane_stats) + hists * sizeof(struct hist) + cells + typical;
	char *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct lane_stats *s = (struct lane_stats *)block;

	if (block == MAP_FAILED)
		return NULL;
	s->block_bytes = bytes;
	s->bin_end_ns = CELL_BIN_NS;
	s->window = 1;
	block += sizeof(*s);
	s->typical = (struct exemplar *)block;
	block += typical;
	for (int i = 0; i < TRACE_CLASS_COUNT; i++)
		if (classes & 1u << i) {
			s->latency[i] = (struct hist *)block;
			block += sizeof(struct hist);
		}
	if (paced) {
		s->lateness = (struct hist *)block;
		s->service = s->lateness + 1;
		block += 2 * sizeof(struct hist);
	}
	s->cell = (uint32_t(*)[CELL_BUCKETS])block;
	return s;
}

void lane_stats_begin(struct lane_stats *s)
{
	for (int i = 0; i < TRACE_CLASS_COUNT; i++)
		if (s->latency[i])
			s->latency[i]->min_ns = UINT64_MAX;
	if (s->lateness)
		s->lateness->min_ns = s->service->min_ns = UINT64_MAX;
}

void lane_stats_free(struct lane_stats *s)
{
	if (s)
		munmap(s, s->block_bytes);
}

/* Two bins become one. */
static void fold(struct totals *t)
{
	for (int i = 0; i < TRACE_CLASS_COUNT; i++) {
		uint64_t *cell = t->cell[i];

		if (!cell)
			continue;
		for (uint32_t b = 0; b < CELL_BINS / 2; b++)
			for (uint32_t k = 0; k < CELL_BUCKETS; k++)
				cell[b * CELL_BUCKETS + k] = cell[2 * b * CELL_BUCKETS + k] + cell[(2 * b + 1) * CELL_BUCKETS + k];
		memset(cell + CELL_BINS / 2 * CELL_BUCKETS, 0, CELL_BINS / 2 * CELL_BUCKETS * sizeof(*cell));
	}
	t->bin_ns *= 2;
	t->bins = (t->bins + 1) / 2;
}

void totals_add_cells(struct totals *t, struct lane_stats *s, uint32_t classes, uint64_t now_ns)
{
	/* The bin that is over is the one before its end. */
	uint64_t at = s->bin_end_ns - 1;
	uint32_t bin;

	pthread_mutex_lock(&t->lock);
	while (at / t->bin_ns >= CELL_BINS)
		fold(t);
	bin = (uint32_t)(at / t->bin_ns);
	if (bin >= t->bins)
		t->bins = bin + 1;
	for (int i = 0; i < TRACE_CLASS_COUNT; i++) {
		if (!(classes & 1u << i))
			continue;
		if (!t->cell[i])
			t->cell[i] = calloc((size_t)CELL_BINS * CELL_BUCKETS, sizeof(*t->cell[i]));
		for (uint32_t k = 0; k < CELL_BUCKETS && t->cell[i]; k++) {
			t->cell[i][bin * CELL_BUCKETS + k] += s->cell[i][k];
			t->recent[k] += s->cell[i][k];
		}
		memset(s->cell[i], 0, sizeof(s->cell[i]));
	}
	if (s->worst_late_ns > t->recent_late_ns)
		t->recent_late_ns = s->worst_late_ns;
	s->worst_late_ns = 0;
	s->bin_end_ns = (now_ns / t->bin_ns + 1) * t->bin_ns;
	if (s->bin_end_ns > now_ns + CELL_FLUSH_NS)
		s->bin_end_ns = now_ns + CELL_FLUSH_NS;
	s->window = (uint32_t)(now_ns / EXEMPLAR_WINDOW_NS) + 1;
	pthread_mutex_unlock(&t->lock);
}

void totals_recent(struct totals *t, uint64_t *p99_ns, uint64_t *late_ns)
{
	uint64_t all = 0, n = 0;
	uint32_t k = 0;

	pthread_mutex_lock(&t->lock);
	for (uint32_t i = 0; i < CELL_BUCKETS; i++)
		all += t->recent[i];
	while (k + 1 < CELL_BUCKETS && (n += t->recent[k]) * 100 < all * 99)
		k++;
	*p99_ns = all ? hist_low(k, CELL_BITS) : 0;
	*late_ns = t->recent_late_ns;
	memset(t->recent, 0, sizeof(t->recent));
	t->recent_late_ns = 0;
	pthread_mutex_unlock(&t->lock);
}

static void add_exemplar(struct totals *t, const struct exemplar *e)
{
	t->exemplar = grow(t->exemplar, &t->exemplars_room, t->exemplars + 1, sizeof(*t->exemplar));
	t->exemplar[t->exemplars++] = *e;
}

static void add_hist(struct hist **to, const struct hist *from)
{
	if (!from || !from->count)
		return;
	if (!*to)
		*to = new_hist();
	if (*to)
		hist_merge(*to, from);
}

void totals_add_lane(struct totals *t, struct lane_stats *s, uint32_t classes)
{
	totals_add_cells(t, s, classes, s->bin_end_ns);
	pthread_mutex_lock(&t->lock);
	for (int i = 0; i < TRACE_CLASS_COUNT; i++) {
		t->bytes[i] += s->bytes[i];
		t->errors[i] += s->errors[i];
		t->mismatches[i] += s->mismatches[i];
		add_hist(&t->latency[i], s->latency[i]);
	}
	add_hist(&t->lateness, s->lateness);
	add_hist(&t->service, s->service);
	t->pauses.n += s->pauses.n;
	t->pauses.recorded_ns += s->pauses.recorded_ns;
	t->pauses.recorder_ns += s->pauses.recorder_ns;
	t->pauses.repaid_ns += s->pauses.repaid_ns;
	if (s->last_due_ns >= t->last_due_ns) {
		t->last_due_ns = s->last_due_ns;
		t->last_late_ns = s->last_late_ns;
	}
	for (uint32_t i = 0; i < s->slowest_n; i++)
		add_exemplar(t, &s->slowest[i]);
	for (uint32_t i = 0; i < s->typical_n; i++)
		add_exemplar(t, &s->typical[i]);
	pthread_mutex_unlock(&t->lock);
}

void totals_add_difference(struct totals *t, const struct difference *d)
{
	pthread_mutex_lock(&t->lock);
	if (t->differences < DIFFERENCES)
		t->difference[t->differences++] = *d;
	pthread_mutex_unlock(&t->lock);
}

static void keep_slowest(struct lane_stats *s, const struct exemplar *e)
{
	uint32_t least = 0;

	if (s->slowest_n < SLOWEST) {
		s->slowest[s->slowest_n++] = *e;
	} else {
		for (uint32_t i = 1; i < SLOWEST; i++)
			if (s->slowest[i].latency_ns < s->slowest[least].latency_ns)
				least = i;
		s->slowest[least] = *e;
	}
	if (s->slowest_n < SLOWEST)
		return;
	s->slowest_floor_ns = UINT64_MAX;
	for (uint32_t i = 0; i < SLOWEST; i++)
		if (s->slowest[i].latency_ns < s->slowest_floor_ns)
			s->slowest_floor_ns = s->slowest[i].latency_ns;
}

void lane_stats_exemplar(struct lane_stats *s, const struct exemplar *e, uint8_t class)
{
	uint32_t *seen = &s->seen_window[class][63 - __builtin_clzll(e->latency_ns | 1)];

	if (e->latency_ns > s->slowest_floor_ns)
		keep_slowest(s, e);
	else if (*seen != s->window && s->typical_n < TYPICAL)
		s->typical[s->typical_n++] = *e;
	*seen = s->window;
}
