/* Calls of 32-bit programs: which call of x86-64 each is, and its arguments in that call's order. */
#pragma once
#include "capture/events.bpf.h"

#define SYS_RECVMSG 17 /* of socketcall */
#define SYS_RECVMMSG 19
#define NR_RECVMSG 47
#define SYS_BIND 2
#define NR_BIND 49
#define NR_RECVMMSG 299

/* A call as it would be on x86-64: from on_foreign_exit to the program that records it. */
struct foreign {
	__u64 arg[8]; /* six, and room for an index that the verifier takes as three bits */
	__u64 reg[8];
	__s64 result;
	__u32 armed, nr, bits, special;
};

PER_CPU_SCRATCH(foreigners, struct foreign);

static __always_inline struct foreign *my_foreign(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&foreigners, &zero);
}

static __always_inline const volatile struct foreign_config *foreign_row(unsigned long nr, bool ia32)
{
	__u64 index;

	if (ia32) {
		index = nr;
		asm volatile("" : "+r"(index));
		return &cfg.ia32[index & (CALL_MAX - 1)];
	}
	index = (nr & ~(unsigned long)X32_BIT) - X32_FIRST;
	asm volatile("" : "+r"(index));
	return index < X32_CALLS ? &cfg.x32[index & (X32_CALLS - 1)] : NULL;
}

/* The number that the call has on x86-64; CALL_MAX: it is not recorded. */
static __always_inline __u32 native_number(unsigned long nr, bool ia32)
{
	const volatile struct foreign_config *row;

	if (!ia32 && (nr & ~(unsigned long)X32_BIT) < CALL_MAX)
		return nr & ~(unsigned long)X32_BIT;
	if (ia32 && nr >= CALL_MAX)
		return CALL_MAX;
	row = foreign_row(nr, ia32);
	return row && row->special && row->special != FOREIGN_COUNTED ? row->nr : CALL_MAX;
}

static __always_inline void read_registers(struct foreign *f, struct pt_regs *regs, bool ia32)
{
	f->reg[0] = ia32 ? (__u32)regs->bx : regs->di;
	f->reg[1] = ia32 ? (__u32)regs->cx : regs->si;
	f->reg[2] = ia32 ? (__u32)regs->dx : regs->dx;
	f->reg[3] = ia32 ? (__u32)regs->si : regs->r10;
	f->reg[4] = ia32 ? (__u32)regs->di : regs->r8;
	f->reg[5] = ia32 ? (__u32)regs->bp : regs->r9;
	f->reg[6] = f->reg[7] = 0;
}

static __always_inline __u64 argument_from(const struct foreign *f, __u32 from)
{
	__u64 reg = f->reg[from & 7], next = f->reg[(from + 1) & 7];

	switch (from & ~7) {
	case FROM_U(0): return reg;
	case FROM_S(0): return (__s64)(__s32)reg;
	case FROM_LH(0): return reg | next << 32;
	case FROM_HL(0): return next | reg << 32;
	case FROM_PAGES(0): return reg << 12;
	case FROM_ID(0): return (reg & 0xffff) == 0xffff ? 0xffffffff : reg & 0xffff;
	}
	return 0;
}

/* What only the program's memory tells. False: not about files. */
static __always_inline bool read_special(struct foreign *f)
{
	__u32 word[6] = {};

	switch (f->special) {
	case FOREIGN_LLSEEK:
		if (!f->result)
			bpf_probe_read_user(&f->result, sizeof(f->result), (void *)f->reg[3]);
		return true;
	case FOREIGN_OLD_MMAP:
		bpf_probe_read_user(word, sizeof(word), (void *)f->reg[0]);
		break;
	case FOREIGN_SOCKETCALL:
		switch (f->reg[0]) {
		case SYS_BIND: f->nr = NR_BIND; break;
		case SYS_RECVMSG: f->nr = NR_RECVMSG; break;
		case SYS_RECVMMSG: f->nr = NR_RECVMMSG; break;
		default: return false;
		}
		bpf_probe_read_user(word, sizeof(word), (void *)f->reg[1]);
		break;
	default: return true;
	}
	for (int i = 0; i < 6; i++)
		f->arg[i] = word[i];
	return true;
}

/* Makes the call ready for the program that records it. False: it is none on files, or cannot be told as another one. */
static __always_inline bool translate(struct foreign *f, struct pt_regs *regs, unsigned long nr, long result, bool ia32)
{
	const volatile struct foreign_config *row;

	f->nr = native_number(nr, ia32);
	f->result = result;
	f->bits = 0;
	f->special = FOREIGN_PLAIN;
	read_registers(f, regs, ia32);
	for (int i = 0; i < 6; i++)
		f->arg[i] = f->reg[i];
	if (!ia32 && (nr & ~(unsigned long)X32_BIT) < CALL_MAX)
		return true;
	row = foreign_row(nr, ia32);
	if (row && row->special == FOREIGN_COUNTED) {
		struct counters *counters = my_counters();

		if (counters)
			counters->compat++;
	}
	if (f->nr >= CALL_MAX || !row)
		return false;
	f->special = row->special;
	f->bits = REC_COMPAT;
	for (int i = 0; ia32 && i < 6; i++)
		f->arg[i] = argument_from(f, row->from[i]);
	return read_special(f);
}
