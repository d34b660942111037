/* Preloaded into the program under test: what the system does to it on purpose.
 *
 * SHIM_SYNC_OF       only syncs of files whose path holds this text are counted, from 1
 * SHIM_KILL_BEFORE   SIGKILL to the process before its N-th sync, so that nothing of it is known to be on the disk
 * SHIM_KILL_AFTER    SIGKILL after it
 * SHIM_EIO_FROM      from the N-th sync on, syncs fail with EIO
 * SHIM_CLOCK         the wall clock jumps by so many seconds to and fro, every time it is read
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static atomic_int syncs = 0;
static atomic_int reads = 0;

static int setting(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

static int counts(int fd) {
    char link[64], path[4096];
    const char *of = getenv("SHIM_SYNC_OF");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (of == NULL || length < 0) return 0;
    path[length] = 0;
    return strstr(path, of) != NULL;
}

static int synced(int fd, const char *name) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (!counts(fd)) return real(fd);
    int number = atomic_fetch_add(&syncs, 1) + 1;
    int fails_from = setting("SHIM_EIO_FROM");
    if (number == setting("SHIM_KILL_BEFORE")) kill(getpid(), SIGKILL);
    if (fails_from && number >= fails_from) {
        errno = EIO;
        return -1;
    }
    int result = real(fd);
    if (number == setting("SHIM_KILL_AFTER")) kill(getpid(), SIGKILL);
    return result;
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }

static time_t jump(void) {
    int by = setting("SHIM_CLOCK");
    return by ? by * ((int)(atomic_fetch_add(&reads, 1) % 3) - 1) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += jump();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int (*real)(struct timeval *, void *) = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(now, zone);
    if (result == 0) now->tv_sec += jump();
    return result;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}
