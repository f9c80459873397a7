// A program that holds one connection in CLOSE_WAIT, and whose threads wait in the way that the argument names.
// It prints READY with its numbers, and ends with its input.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int listener, held, peer;
static pthread_mutex_t orders = PTHREAD_MUTEX_INITIALIZER, stock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t ready;
static int tids[1024];

static void hold_one(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 8)) exit(1);
  getsockname(listener, (struct sockaddr *)&address, &length);
  peer = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(peer, (struct sockaddr *)&address, length)) exit(1);
  held = accept(listener, NULL, NULL);
  shutdown(peer, SHUT_WR);
}

static void enter(long index, const char *name) {
  prctl(PR_SET_NAME, name);
  tids[index] = (int)syscall(SYS_gettid);
}

static void *take_both(void *which) {
  long index = (long)which;
  pthread_mutex_t *one = index ? &orders : &stock, *other = index ? &stock : &orders;
  enter(index, index ? "first-orders" : "first-stock");
  pthread_mutex_lock(one);
  pthread_barrier_wait(&ready);
  pthread_mutex_lock(other);
  return NULL;
}

static void *want_orders(void *which) {
  enter((long)which, "waits");
  pthread_barrier_wait(&ready);
  pthread_mutex_lock(&orders);
  return NULL;
}

static void *poll_two(void *which) {
  struct pollfd files[] = {{.fd = peer, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
  enter((long)which, "polls");
  pthread_barrier_wait(&ready);
  poll(files, 2, 60000);
  return NULL;
}

static void *select_one(void *which) {
  fd_set set;
  struct timeval limit = {.tv_sec = 60};
  FD_ZERO(&set);
  FD_SET(peer, &set);
  enter((long)which, "selects");
  pthread_barrier_wait(&ready);
  select(peer + 1, &set, NULL, NULL, &limit);
  return NULL;
}

static void *accept_one(void *which) {
  enter((long)which, "accepts");
  pthread_barrier_wait(&ready);
  accept(listener, NULL, NULL);
  return NULL;
}

static void *spin(void *which) {
  enter((long)which, "spins");
  pthread_barrier_wait(&ready);
  for (volatile unsigned long n = 0;; n++) {
  }
}

static void *nothing(void *unused) { return unused; }

static void *come_and_go(void *which) {
  enter((long)which, "makes-threads");
  pthread_barrier_wait(&ready);
  for (;;) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) == 0) pthread_join(thread, NULL);
  }
}

static void start(int count, void *(*work)(void *)) {
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  pthread_barrier_init(&ready, NULL, (unsigned)count + 1);
  for (long i = 0; i < count; i++) {
    pthread_t thread;
    if (pthread_create(&thread, &small, work, (void *)i)) exit(1);
  }
  pthread_barrier_wait(&ready);
}

int main(int count, char **arguments) {
  const char *mode = count > 1 ? arguments[1] : "";
  int threads = count > 2 ? atoi(arguments[2]) : 1;
  hold_one();
  if (strcmp(mode, "deadlock") == 0) start(2, take_both);
  if (strcmp(mode, "lock") == 0) {
    pthread_mutex_lock(&orders);
    start(threads, want_orders);
  }
  if (strcmp(mode, "poll") == 0) start(1, poll_two);
  if (strcmp(mode, "select") == 0) start(1, select_one);
  if (strcmp(mode, "accept") == 0) start(1, accept_one);
  if (strcmp(mode, "spin") == 0) start(1, spin);
  if (strcmp(mode, "come-and-go") == 0) start(1, come_and_go);
  if (strcmp(mode, "epoll") == 0) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP};
    epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, held, &event);
  }
  usleep(100000);  // the threads get from the barrier to where they wait
  printf("READY {\"pid\": %d, \"held\": %d, \"listener\": %d, \"peer\": %d, \"tids\": [%d, %d]}\n", getpid(), held,
         listener, peer, tids[0], tids[1]);
  fflush(stdout);
  char rest;
  return (int)read(0, &rest, 1);
}
