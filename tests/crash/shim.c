/* Records, in order, what a process does to the files below one folder (see record.py).
 *
 * Preloaded before libc, so that it stands below LevelDB as well as below Python. One lock spans
 * each call and its record: the order in the trace is the order in which the kernel was asked.
 *
 *   SHIM_ROOT   the folder; what is done elsewhere is not recorded
 *   SHIM_TRACE  the trace, appended to
 *   SHIM_STOP   optional: the process kills itself before it does this operation (from 0)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { OPEN = 1, WRITE, TRUNCATE, SYNC, CLOSE, RENAME, LINK, UNLINK, RMDIR, MKDIR };

#define FILES_MAX 65536

struct __attribute__((packed)) head {
    uint8_t kind;
    int32_t fd;
    uint32_t flags;
    uint64_t offset;
    uint32_t first_size, second_size;
};

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static unsigned char is_ours[FILES_MAX];
static char root[PATH_MAX];
static size_t root_size;
static int trace = -1;
static long done, stop = -1;

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("SHIM_ROOT"), *path = getenv("SHIM_TRACE");
    const char *at = getenv("SHIM_STOP");
    if (!folder || !path) return;
    snprintf(root, sizeof root, "%s/", folder);
    root_size = strlen(root);
    trace = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (trace < 0) abort();
    if (at) stop = atol(at);
}

static void put(const void *data, size_t size) {
    while (size) {
        ssize_t count = syscall(SYS_write, trace, data, size);
        if (count <= 0) abort();
        data = (const char *)data + count;
        size -= (size_t)count;
    }
}

/* Before an operation on our files: dies if this is where to stop. */
static void enter(void) {
    pthread_mutex_lock(&lock);
    if (done == stop) {
        syscall(SYS_kill, getpid(), SIGKILL);
        for (;;) pause();
    }
}

static void leave(void) { pthread_mutex_unlock(&lock); }

static void note(uint8_t kind, int fd, uint32_t flags, uint64_t offset, const void *first,
                 size_t first_size, const char *second) {
    int saved = errno;
    size_t second_size = second ? strlen(second) : 0;
    struct head head = {kind, fd, flags, offset, (uint32_t)first_size, (uint32_t)second_size};
    put(&head, sizeof head);
    put(first, first_size);
    put(second, second_size);
    if (kind != CLOSE) done++;
    errno = saved;
}

static void note_path(uint8_t kind, int fd, uint32_t flags, const char *first, const char *second) {
    note(kind, fd, flags, 0, first, strlen(first), second);
}

/* The absolute path of `path` in `full`; whether it is in the root. */
static int below(int folder, const char *path, char *full) {
    char base[PATH_MAX], link[64];
    if (trace < 0 || !path) return 0;
    if (path[0] == '/') {
        snprintf(full, PATH_MAX, "%s", path);
    } else {
        if (folder == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) return 0;
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            ssize_t size = readlink(link, base, sizeof base - 1);
            if (size < 0) return 0;
            base[size] = 0;
        }
        if (snprintf(full, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) abort();
    }
    /* The root itself is one of its folders. */
    return strncmp(full, root, root_size - 1) == 0 && (full[root_size - 1] == '/' || !full[root_size - 1]);
}

static int ours(int fd) { return trace >= 0 && fd >= 0 && fd < FILES_MAX && is_ours[fd]; }

static int opened(int folder, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    if (!below(folder, path, full))
        return (int)syscall(SYS_openat, folder, path, flags, mode);
    enter();
    int fd = (int)syscall(SYS_openat, folder, path, flags, mode);
    if (fd >= 0) {
        if (fd >= FILES_MAX) abort();
        is_ours[fd] = 1;
        note_path(OPEN, fd, (uint32_t)flags, full, NULL);
    }
    leave();
    return fd;
}

#define WITH_MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

int open(const char *path, int flags, ...) { WITH_MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { WITH_MODE(flags) return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int folder, const char *path, int flags, ...) { WITH_MODE(flags) return opened(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { WITH_MODE(flags) return opened(folder, path, flags | O_LARGEFILE, mode); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags | O_LARGEFILE, 0); }

int close(int fd) {
    if (!ours(fd)) return (int)syscall(SYS_close, fd);
    enter();
    is_ours[fd] = 0;
    note(CLOSE, fd, 0, 0, NULL, 0, NULL);
    int result = (int)syscall(SYS_close, fd);
    leave();
    return result;
}

ssize_t write(int fd, const void *data, size_t size) {
    if (!ours(fd)) return syscall(SYS_write, fd, data, size);
    enter();
    ssize_t count = syscall(SYS_write, fd, data, size);
    if (count > 0) {
        off_t end = lseek(fd, 0, SEEK_CUR);
        note(WRITE, fd, 0, (uint64_t)(end - count), data, (size_t)count, NULL);
    }
    leave();
    return count;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    if (!ours(fd)) return syscall(SYS_pwrite64, fd, data, size, offset);
    enter();
    ssize_t count = syscall(SYS_pwrite64, fd, data, size, offset);
    if (count > 0) note(WRITE, fd, 0, (uint64_t)offset, data, (size_t)count, NULL);
    leave();
    return count;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return pwrite64(fd, data, size, offset); }

/* What copies between files without us must fall back to write(). */
ssize_t sendfile64(int to, int from, off64_t *offset, size_t count) {
    if (ours(to)) { errno = ENOSYS; return -1; }
    return syscall(SYS_sendfile, to, from, offset, count);
}
ssize_t sendfile(int to, int from, off_t *offset, size_t count) { return sendfile64(to, from, offset, count); }

static int synced(long call, int fd) {
    if (!ours(fd)) return (int)syscall(call, fd);
    enter();
    int result = (int)syscall(call, fd);
    if (result == 0) note(SYNC, fd, 0, 0, NULL, 0, NULL);
    leave();
    return result;
}
int fsync(int fd) { return synced(SYS_fsync, fd); }
int fdatasync(int fd) { return synced(SYS_fdatasync, fd); }

int ftruncate64(int fd, off64_t size) {
    if (!ours(fd)) return (int)syscall(SYS_ftruncate, fd, size);
    enter();
    int result = (int)syscall(SYS_ftruncate, fd, size);
    if (result == 0) note(TRUNCATE, fd, 0, (uint64_t)size, NULL, 0, NULL);
    leave();
    return result;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int truncate64(const char *path, off64_t size) {
    char full[PATH_MAX];
    int is_below = below(AT_FDCWD, path, full);
    if (is_below) enter();
    int result = (int)syscall(SYS_truncate, path, size);
    if (is_below) {
        if (result == 0) note(TRUNCATE, -1, 0, (uint64_t)size, full, strlen(full), NULL);
        leave();
    }
    return result;
}
int truncate(const char *path, off_t size) { return truncate64(path, size); }

/* Of names: within the root, or not at all. */
static int moved(uint8_t kind, int from_folder, const char *from, int to_folder, const char *to,
                 unsigned flags) {
    char first[PATH_MAX], second[PATH_MAX];
    int is_below = below(from_folder, from, first) && below(to_folder, to, second);
    if (is_below) enter();
    int result = kind == RENAME
        ? (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags)
        : (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
    if (is_below) {
        if (result == 0) note_path(kind, -1, flags, first, second);
        leave();
    }
    return result;
}
int rename(const char *from, const char *to) { return moved(RENAME, AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return moved(RENAME, a, from, b, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { return moved(RENAME, a, from, b, to, flags); }
int link(const char *from, const char *to) { return moved(LINK, AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int a, const char *from, int b, const char *to, int flags) { return moved(LINK, a, from, b, to, (unsigned)flags); }

static int removed(int folder, const char *path, int flags) {
    char full[PATH_MAX];
    int is_below = below(folder, path, full);
    if (is_below) enter();
    int result = (int)syscall(SYS_unlinkat, folder, path, flags);
    if (is_below) {
        if (result == 0) note_path(flags & AT_REMOVEDIR ? RMDIR : UNLINK, -1, 0, full, NULL);
        leave();
    }
    return result;
}
int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char *path, int flags) { return removed(folder, path, flags); }
int rmdir(const char *path) { return removed(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int folder, const char *path, mode_t mode) {
    char full[PATH_MAX];
    int is_below = below(folder, path, full);
    if (is_below) enter();
    int result = (int)syscall(SYS_mkdirat, folder, path, mode);
    if (is_below) {
        if (result == 0) note_path(MKDIR, -1, 0, full, NULL);
        leave();
    }
    return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
