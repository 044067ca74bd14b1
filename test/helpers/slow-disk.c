// A disk on which each write that has to be certain takes 700 ms, for a process that is started with LD_PRELOAD.
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(void) {
  struct timespec time = {0, 700 * 1000 * 1000};
  nanosleep(&time, 0);
}

int fsync(int fd) {
  wait_for_disk();
  return syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  wait_for_disk();
  return syscall(SYS_fdatasync, fd);
}
