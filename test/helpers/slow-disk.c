// A disk on which each write that has to be certain takes 700 ms, or as long as the file exists that DISK_HANGS_WHILE names, for a
// process that is started with LD_PRELOAD.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(void) {
  struct timespec time = {0, 700 * 1000 * 1000};
  const char *file = getenv("DISK_HANGS_WHILE");
  do nanosleep(&time, 0);
  while (file && access(file, F_OK) == 0);
}

int fsync(int fd) {
  wait_for_disk();
  return syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  wait_for_disk();
  return syscall(SYS_fdatasync, fd);
}
