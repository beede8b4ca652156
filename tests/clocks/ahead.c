/* Preloaded into a process: its wall clock, and no other one, is ahead by CLOCK_AHEAD_S seconds. Sleeping and waiting go by
   the monotonic clock and stay as they are. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static time_t ahead_s;

__attribute__((constructor)) static void prepare(void) {
    const char *given = getenv("CLOCK_AHEAD_S");
    real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    ahead_s = given ? strtoll(given, NULL, 10) : 0;
}

int clock_gettime(clockid_t id, struct timespec *found) {
    if (!real_clock_gettime) prepare(); /* another library's constructor may be earlier */
    int failed = real_clock_gettime(id, found);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) found->tv_sec += ahead_s;
    return failed;
}

int gettimeofday(struct timeval *restrict found, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    found->tv_sec = now.tv_sec;
    found->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *found) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (found) *found = now.tv_sec;
    return now.tv_sec;
}
