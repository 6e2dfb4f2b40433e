#include "replay/plan_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "lib/cleanup.h"

#define MAGIC "iorig plan 4"

struct meta_head {
	char magic[16], key[128];
	struct plan plan; /* its pointers mean nothing */
	uint64_t part_hash[4], rest_hash;
	uint64_t head_hash; /* of all before it */
};

/* The arrays of a plan that lie in memory, in the order in which they stand in meta. */
enum { ARRAYS = 7 };
struct array {
	void **item;
	size_t n, item_bytes;
};

static void arrays_of(struct plan *p, struct array array[ARRAYS])
{
	const struct array all[ARRAYS] = {
		{(void **)&p->strings, p->strings_n, 1},
		{(void **)&p->start, p->start_n, sizeof(*p->start)},
		{(void **)&p->final, p->final_n, sizeof(*p->final)},
		{(void **)&p->absent, p->absent_n, sizeof(*p->absent)},
		{(void **)&p->open, p->open_n, sizeof(*p->open)},
		{(void **)&p->xattr, p->xattr_n, sizeof(*p->xattr)},
		{(void **)&p->resident, p->resident_n, sizeof(*p->resident)},
	};

	memcpy(array, all, sizeof(all));
}

static struct spool *part_of(struct plan *p, int i)
{
	struct spool *part[] = {&p->spool_op, &p->spool_event, &p->spool_args, &p->spool_edge};

	return part[i];
}

static const char *const part_names[4] = {"op", "event", "args", "edge"};

/* ---- both directions: everything behind the head, hashed ---------------------------------------------------------------------- */

struct stream {
	FILE *f;
	XXH3_state_t *hash;
	bool load, failed;
};

static bool take(FILE *f, void *data, size_t n)
{
	return fread(data, 1, n, f) == n;
}

static bool give(FILE *f, const void *data, size_t n)
{
	return fwrite(data, 1, n, f) == n;
}

static void pass(struct stream *s, void *data, size_t n)
{
	if (s->failed || !n)
		return;
	s->failed = s->load ? !take(s->f, data, n) : !give(s->f, data, n);
	if (!s->failed)
		XXH3_64bits_update(s->hash, data, n);
}

/* An array of n items; while loading it is allocated. */
static void pass_array(struct stream *s, void **item, size_t n, size_t bytes)
{
	if (s->load) {
		*item = s->failed ? NULL : calloc(n + 1, bytes);
		s->failed = s->failed || !*item;
	}
	if (!s->failed)
		pass(s, *item, n * bytes);
}

static void pass_rest(struct stream *s, struct plan *p)
{
	struct array array[ARRAYS];

	arrays_of(p, array);
	for (int i = 0; i < ARRAYS; i++)
		pass_array(s, array[i].item, array[i].n, array[i].item_bytes);
	pass_array(s, (void **)&p->hole, p->holes_n, sizeof(*p->hole));
	pass_array(s, (void **)&p->lane, p->lanes, sizeof(*p->lane));
	for (uint32_t i = 0; i < p->lanes && s->load && p->lane; i++)
		p->lane[i].chunk = NULL;
	for (uint32_t i = 0; i < p->lanes && !s->failed; i++)
		pass_array(s, (void **)&p->lane[i].chunk, p->lane[i].chunks, sizeof(struct plan_chunk));
	for (int i = 0; i < TRACE_CLASS_COUNT; i++) {
		uint8_t there = p->recorded[i] != NULL;

		pass(s, &there, sizeof(there));
		if (there && !s->failed)
			pass_array(s, (void **)&p->recorded[i], 1, sizeof(struct hist));
	}
}

/* ---- storing ---------------------------------------------------------------------------------------------------------------- */

static int link_part(const struct spool *part, int folder_fd, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", part->fd);
	return linkat(AT_FDCWD, path, folder_fd, name, AT_SYMLINK_FOLLOW) ? -errno : 0;
}

int plan_file_store(const struct plan *plan, const char *key, int folder_fd)
{
	struct plan copy = *plan;
	struct meta_head *head = calloc(1, sizeof(*head));
	struct stream s = {.hash = XXH3_createState()};
	int fd = openat(folder_fd, "meta", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc = -ENOMEM;

	s.f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!head || !s.hash || !s.f) {
		rc = fd < 0 ? -errno : rc;
		goto out;
	}
	memcpy(head->magic, MAGIC, sizeof(MAGIC));
	snprintf(head->key, sizeof(head->key), "%s", key);
	head->plan = *plan;
	XXH3_64bits_reset(s.hash);
	rc = fseek(s.f, sizeof(*head), SEEK_SET) ? -errno : 0;
	pass_rest(&s, &copy);
	head->rest_hash = XXH3_64bits_digest(s.hash);
	for (int i = 0; i < 4 && !rc; i++) {
		head->part_hash[i] = part_of(&copy, i)->hash;
		rc = link_part(part_of(&copy, i), folder_fd, part_names[i]);
	}
	head->head_hash = XXH3_64bits(head, offsetof(struct meta_head, head_hash));
	if (!rc && (s.failed || fseek(s.f, 0, SEEK_SET) || fwrite(head, sizeof(*head), 1, s.f) != 1 || fflush(s.f)))
		rc = errno ? -errno : -EIO;
out:
	if (s.f)
		fclose(s.f);
	XXH3_freeState(s.hash);
	free(head);
	return rc;
}

/* ---- loading ---------------------------------------------------------------------------------------------------------------- */

/* Only what this user, or root, wrote and nobody else can write. */
static int open_trusted(int folder_fd, const char *name, struct stat *st)
{
	int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : -EBADMSG;
	if (!fstat(fd, st) && S_ISREG(st->st_mode) && (st->st_uid == geteuid() || !st->st_uid) && !(st->st_mode & 022))
		return fd;
	close(fd);
	return -EBADMSG;
}

static int load_part(struct plan *p, int i, int folder_fd, uint64_t hash)
{
	struct spool *part = part_of(p, i);
	size_t item_bytes = part->item_bytes;
	uint64_t n = part->n;
	struct stat st;
	int fd = open_trusted(folder_fd, part_names[i], &st);

	*part = (struct spool){.fd = -1};
	if (fd < 0)
		return fd;
	*part = (struct spool){.fd = fd, .item_bytes = item_bytes, .n = n};
	if ((uint64_t)st.st_size != n * item_bytes || spool_hash(part) != hash)
		return -EBADMSG;
	spool_map(part);
	return part->error;
}

static int load_parts(struct plan *p, const struct meta_head *head, int folder_fd)
{
	const struct plan *stored = &head->plan;
	const uint64_t n[4] = {stored->ops, stored->ops, stored->args_n, stored->edges_n};
	const size_t bytes[4] = {sizeof(*p->op), sizeof(*p->event), sizeof(*p->args), sizeof(*p->edge)};
	int rc = 0;

	for (int i = 0; i < 4; i++)
		*part_of(p, i) = (struct spool){.fd = -1};
	for (int i = 0; i < 4 && !rc; i++) {
		*part_of(p, i) = (struct spool){.fd = -1, .item_bytes = bytes[i], .n = n[i]};
		rc = load_part(p, i, folder_fd, head->part_hash[i]);
	}
	p->op = p->spool_op.map;
	p->event = p->spool_event.map;
	p->args = p->spool_args.map;
	p->edge = p->spool_edge.map;
	return rc;
}

static void forget_pointers(struct plan *p)
{
	struct array array[ARRAYS];

	arrays_of(p, array);
	for (int i = 0; i < ARRAYS; i++)
		*array[i].item = NULL;
	for (int i = 0; i < TRACE_CLASS_COUNT; i++)
		p->recorded[i] = NULL;
	p->hole = NULL;
	p->lane = NULL;
}

/* What follows the head, up to the end of the file: lengths of arrays stand in there, too, so it is checked before it is taken. */
static bool rest_is_good(FILE *f, XXH3_state_t *hash, uint64_t wanted)
{
	char block[16384];
	long at = ftell(f);
	size_t n;

	XXH3_64bits_reset(hash);
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		XXH3_64bits_update(hash, block, n);
	return at >= 0 && !ferror(f) && !fseek(f, at, SEEK_SET) && XXH3_64bits_digest(hash) == wanted;
}

int plan_file_load(struct plan *p, const char *key, int folder_fd)
{
	struct meta_head *head = calloc(1, sizeof(*head));
	struct stream s = {.hash = XXH3_createState(), .load = true};
	struct stat st;
	int fd = open_trusted(folder_fd, "meta", &st), rc = fd < 0 ? fd : -EBADMSG;

	*p = (struct plan){.spool_op.fd = -1, .spool_event.fd = -1, .spool_args.fd = -1, .spool_edge.fd = -1};
	s.f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!head || !s.hash || !s.f || fread(head, sizeof(*head), 1, s.f) != 1 || memcmp(head->magic, MAGIC, sizeof(MAGIC)) ||
	    head->head_hash != XXH3_64bits(head, offsetof(struct meta_head, head_hash)) || strncmp(head->key, key, sizeof(head->key)) ||
	    !rest_is_good(s.f, s.hash, head->rest_hash))
		goto out;
	*p = head->plan;
	forget_pointers(p);
	rc = load_parts(p, head, folder_fd);
	if (!rc)
		pass_rest(&s, p);
	if (!rc && (s.failed || fgetc(s.f) != EOF))
		rc = -EBADMSG;
	if (!p->lane)
		p->lanes = 0;
out:
	if (s.f)
		fclose(s.f);
	XXH3_freeState(s.hash);
	free(head);
	return rc;
}
