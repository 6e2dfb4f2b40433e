#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/why.h"
#include "profiles/disk.h"
#include "profiles/kernelfile.h"

/* Is the loop device still attached to that file? The kernel compares by device and inode, so do we. */
static bool belongs_to(int loop_fd, const char *file)
{
	struct loop_info64 info;
	struct stat st;

	if (ioctl(loop_fd, LOOP_GET_STATUS64, &info))
		return false;
	if (stat(file, &st)) /* deleted meanwhile: the name it was attached with has to do */
		return !strncmp((const char *)info.lo_file_name, file, LO_NAME_SIZE - 1);
	return info.lo_device == st.st_dev && info.lo_inode == st.st_ino;
}

int disk_loop_detach(const char *device, const char *file)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENXIO ? 0 : -errno;
	if (!belongs_to(fd, file))
		return 0;
	if (ioctl(fd, LOOP_CLR_FD) && errno != ENXIO)
		return -errno;
	/* While somebody else has it open the kernel only promises to detach; wait for it. */
	cleanup_close(&fd);
	for (int try = 0; try < 50; try++) {
		fd = open(device, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || !belongs_to(fd, file))
			return 0;
		cleanup_close(&fd);
		usleep(20000);
	}
	fd = -1;
	return -EBUSY;
}

/* Direct I/O keeps the page cache of the file system below from answering for the disk. Not every file system can. */
static int configure(int loop_fd, int file_fd, const char *file)
{
	struct loop_config config = {.fd = (uint32_t)file_fd, .block_size = 512, .info = {.lo_flags = LO_FLAGS_DIRECT_IO}};

	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", file);
	if (!ioctl(loop_fd, LOOP_CONFIGURE, &config))
		return 0;
	if (errno == EBUSY)
		return -EBUSY;
	config.info.lo_flags = 0;
	return ioctl(loop_fd, LOOP_CONFIGURE, &config) ? -errno : 0;
}

int disk_loop_attach(const char *file, struct undo *undo, char **device, char **why)
{
	_cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), file_fd = open(file, O_RDWR | O_CLOEXEC);

	*device = NULL;
	if (file_fd < 0)
		return why_set(why, -errno, "cannot open '%s': %s", file, strerror(errno));
	if (control < 0)
		return why_set(why, -errno, "no loop devices here (/dev/loop-control: %s); load the module 'loop' or run as root",
			       strerror(errno));
	for (int try = 0; try < 64; try++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE), rc;
		_cleanup_close_ int fd = -1;
		char name[32];

		if (number < 0)
			return why_set(why, -errno, "no free loop device: %s", strerror(errno));
		snprintf(name, sizeof(name), "/dev/loop%d", number);
		rc = undo_loop_detach(undo, name, file, why);
		if (rc)
			return rc;
		fd = open(name, O_RDWR | O_CLOEXEC);
		rc = fd < 0 ? -errno : configure(fd, file_fd, file);
		if (rc == -EBUSY) /* somebody else was faster; our undo step leaves a foreign device alone */
			continue;
		if (rc)
			return why_set(why, rc, "cannot attach '%s' to %s: %s", file, name, strerror(-rc));
		*device = strdup(name);
		return *device ? 0 : why_set(why, -ENOMEM, "out of memory");
	}
	return why_set(why, -EBUSY, "no free loop device after 64 tries");
}

int disk_loop_make(const char *file, uint64_t size_bytes, struct undo *undo, char **device, char **why)
{
	_cleanup_close_ int fd = -1;
	int rc;

	*device = NULL;
	if (!access(file, F_OK))
		return why_set(why, -EEXIST, "'%s' is there already; it will not be overwritten", file);
	rc = undo_unlink(undo, file, why);
	if (rc)
		return rc;
	fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)size_bytes))
		return why_set(why, -errno, "cannot make the disk file '%s' of %llu bytes: %s", file, (unsigned long long)size_bytes,
			       strerror(errno));
	return disk_loop_attach(file, undo, device, why);
}
