/*
 * A disk that loses power, loaded in front of the C library of a program under test (LD_PRELOAD). Every write to a file
 * below FAULTY_DISK_FOLDER is noted in FAULTY_DISK_JOURNAL together with what stood there before, and every fsync too,
 * so that after a kill everything that no fsync covered can be taken back, as a power cut would.
 *
 * FAULTY_DISK_CONTROL names a file whose first word, while it is there, makes calls fail: `fsync-eio` and `fsync-enospc`
 * every fsync, `write-eio` and `write-enospc` every write, `wal-fsync-eio` every fsync of a write-ahead log. With more
 * words only some fail: `write-eio 3 once events.db-wal` the third write to a file of such a name from now on, and
 * `write-eio 3 from events.db-wal` the third and all later ones. That one has failed is told by a file `.hit` beside it.
 *
 * The files that SQLite maps into memory (-shm) are left alone: they mean nothing after a power cut.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FDS_MAX 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *paths[FDS_MAX];
static int journal = -1;
static const char *folder;
static const char *control;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_close)(int);
static int (*real_open)(const char *, int, ...);

__attribute__((constructor)) static void load(void) {
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
  real_close = dlsym(RTLD_NEXT, "close");
  real_open = dlsym(RTLD_NEXT, "open64");
  folder = getenv("FAULTY_DISK_FOLDER");
  control = getenv("FAULTY_DISK_CONTROL");
  const char *path = getenv("FAULTY_DISK_JOURNAL");
  if (path != NULL) journal = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static const char *watched(int fd) { return fd >= 0 && fd < FDS_MAX ? paths[fd] : NULL; }

static int ends_with(const char *text, const char *end) {
  size_t have = strlen(text), want = strlen(end);
  return have >= want && strcmp(text + have - want, end) == 0;
}

static void opened(int fd, const char *path) {
  if (fd < 0 || fd >= FDS_MAX || folder == NULL || journal < 0) return;
  char full[PATH_MAX];
  if (realpath(path, full) == NULL) return;
  struct stat about;
  if (strncmp(full, folder, strlen(folder)) != 0 || ends_with(full, "-shm")) return;
  if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) return;
  pthread_mutex_lock(&lock);
  free(paths[fd]);
  paths[fd] = strdup(full);
  pthread_mutex_unlock(&lock);
}

/* One record, in one write, so that a kill leaves at most the last one incomplete. The numbers are little-endian. */
static void note(char kind, const char *path, off_t at, off_t size, const void *old, size_t old_bytes,
                 const void *new, size_t new_bytes) {
  size_t path_bytes = strlen(path);
  uint64_t numbers[5] = {path_bytes, (uint64_t)at, (uint64_t)size, old_bytes, new_bytes};
  size_t all = 1 + sizeof numbers + path_bytes + old_bytes + new_bytes;
  char *record = malloc(all), *next = record;
  *next++ = kind;
  next = (char *)memcpy(next, numbers, sizeof numbers) + sizeof numbers;
  next = (char *)memcpy(next, path, path_bytes) + path_bytes;
  if (old_bytes > 0) next = (char *)memcpy(next, old, old_bytes) + old_bytes;
  if (new_bytes > 0) memcpy(next, new, new_bytes);
  if (real_write(journal, record, all) != (ssize_t)all) abort();
  free(record);
}

static int matches(const char *fault, const char *call) {
  return strncmp(fault, call, strlen(call)) == 0 && fault[strlen(call)] == '-';
}

/* The error that a call has to end in, 0 for none. Calls are counted from the moment at which the control was written. */
static int told_to_fail(const char *call, const char *path) {
  static char last[512];
  static int calls;
  if (control == NULL) return 0;
  int fd = real_open(control, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[512] = {0}, fault[64] = {0}, when[16] = {0}, name[256] = {0};
  int number = 0;
  ssize_t got = read(fd, text, sizeof text - 1);
  real_close(fd);
  if (got <= 0) return 0;
  int words = sscanf(text, "%63s %d %15s %255s", fault, &number, when, name);
  int is_wal = strncmp(fault, "wal-", 4) == 0;
  if (!matches(is_wal ? fault + 4 : fault, call) || (is_wal && !ends_with(path, "-wal"))) return 0;
  if (words == 4) {
    if (!ends_with(path, name)) return 0;
    pthread_mutex_lock(&lock);
    if (strcmp(last, text) != 0) calls = 0;
    strcpy(last, text);
    calls += 1;
    int fails = calls == number || (calls > number && strcmp(when, "from") == 0);
    pthread_mutex_unlock(&lock);
    if (!fails) return 0;
    char hit[PATH_MAX];
    snprintf(hit, sizeof hit, "%s.hit", control);
    real_close(real_open(hit, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  }
  return ends_with(fault, "-enospc") ? ENOSPC : EIO;
}

static off_t size_of(int fd) {
  struct stat about;
  return fstat(fd, &about) == 0 ? about.st_size : 0;
}

static ssize_t written(int fd, const char *path, const void *data, size_t bytes, off_t at) {
  int error = told_to_fail("write", path);
  if (error != 0) {
    errno = error;
    return -1;
  }
  pthread_mutex_lock(&lock);
  off_t size = size_of(fd);
  size_t old_bytes = at < size ? (size_t)(size - at < (off_t)bytes ? size - at : (off_t)bytes) : 0;
  char *old = malloc(old_bytes + 1);
  /* What is opened for writing alone cannot be read back through the same descriptor. */
  int reader = real_open(path, O_RDONLY | O_CLOEXEC);
  if (old_bytes > 0 && pread(reader, old, old_bytes, at) != (ssize_t)old_bytes) abort();
  if (reader >= 0) real_close(reader);
  note('w', path, at, size, old, old_bytes, data, bytes);
  free(old);
  ssize_t result = real_pwrite(fd, data, bytes, at);
  pthread_mutex_unlock(&lock);
  return result;
}

ssize_t pwrite64(int fd, const void *data, size_t bytes, off_t at) {
  const char *path = watched(fd);
  return path == NULL ? real_pwrite(fd, data, bytes, at) : written(fd, path, data, bytes, at);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at) { return pwrite64(fd, data, bytes, at); }

ssize_t write(int fd, const void *data, size_t bytes) {
  const char *path = watched(fd);
  if (path == NULL) return real_write(fd, data, bytes);
  off_t at = lseek(fd, 0, SEEK_CUR);
  ssize_t result = written(fd, path, data, bytes, at);
  if (result > 0) lseek(fd, at + result, SEEK_SET);
  return result;
}

int ftruncate64(int fd, off_t to) {
  const char *path = watched(fd);
  if (path == NULL) return real_ftruncate(fd, to);
  pthread_mutex_lock(&lock);
  off_t size = size_of(fd);
  size_t old_bytes = to < size ? (size_t)(size - to) : 0;
  char *old = malloc(old_bytes + 1);
  int reader = real_open(path, O_RDONLY | O_CLOEXEC);
  if (old_bytes > 0 && pread(reader, old, old_bytes, to) != (ssize_t)old_bytes) abort();
  if (reader >= 0) real_close(reader);
  note('t', path, to, size, old, old_bytes, NULL, 0);
  free(old);
  int result = real_ftruncate(fd, to);
  pthread_mutex_unlock(&lock);
  return result;
}

int ftruncate(int fd, off_t to) { return ftruncate64(fd, to); }

static int synced(int fd, int (*real)(int)) {
  const char *path = watched(fd);
  if (path == NULL) return real(fd);
  int error = told_to_fail("fsync", path);
  if (error != 0) {
    errno = error;
    return -1;
  }
  /* The disk under the test need not be waited for: what counts is what was asked of it. */
  pthread_mutex_lock(&lock);
  note('s', path, 0, 0, NULL, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  return 0;
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

int close(int fd) {
  if (watched(fd) != NULL) {
    pthread_mutex_lock(&lock);
    free(paths[fd]);
    paths[fd] = NULL;
    pthread_mutex_unlock(&lock);
  }
  return real_close(fd);
}

int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
  va_end(more);
  int fd = real_open(path, flags, mode);
  if ((flags & O_ACCMODE) != O_RDONLY) opened(fd, path);
  return fd;
}

int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open64(path, flags, mode);
}
