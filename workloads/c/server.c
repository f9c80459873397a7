// Small servers and clients in C: server CASE. Every case is one function; the table at the end has their names.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char OK_ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void nap(int milliseconds) { poll(NULL, 0, milliseconds); }

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static int listen_at(int port, int backlog) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  struct sockaddr_in address = loopback(port);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, backlog)) fail("listen");
  return fd;
}

static int connect_to(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = loopback(port);
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
  return fd;
}

static int accept_from(int listener) {
  int fd = accept(listener, NULL, NULL);
  if (fd < 0) fail("accept");
  return fd;
}

static void answer(int fd) {
  if (write(fd, OK_ANSWER, sizeof OK_ANSWER - 1) < 0) return;
}

static void start(void *(*work)(void *), void *argument) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, argument)) fail("pthread_create");
}

static void watch(int epoll, int operation, int fd, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(epoll, operation, fd, &event)) fail("epoll_ctl");
}

// What an epoll server does with /report: the fault of the case.
enum fault { NO_CLOSE_AT_THE_END, DROPPED, READING_OFF, SHUT_DOWN_ONLY, NO_FAULT };

static void serve_by_epoll(int listener, enum fault fault) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  char faulty[65536] = {0}, request[4096];
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN);
  for (;;) {
    struct epoll_event ready[64];
    int count = epoll_wait(epoll, ready, 64, 1000);
    for (int i = 0; i < count; i++) {
      int fd = ready[i].data.fd;
      if (fd == listener) {
        fd = accept_from(listener);
        faulty[fd] = 0;
        watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
        continue;
      }
      ssize_t got = read(fd, request, sizeof request - 1);
      if (got > 0) {
        request[got] = 0;
        faulty[fd] = strstr(request, "/report") != NULL;
        if (faulty[fd] && fault == DROPPED) watch(epoll, EPOLL_CTL_DEL, fd, 0);  // an early return: no close
        if (faulty[fd] && fault == READING_OFF) watch(epoll, EPOLL_CTL_MOD, fd, 0);  // until there is room again
        answer(fd);
      } else if (faulty[fd] && fault == NO_CLOSE_AT_THE_END) {
        watch(epoll, EPOLL_CTL_DEL, fd, 0);
      } else if (faulty[fd] && fault == SHUT_DOWN_ONLY) {
        watch(epoll, EPOLL_CTL_DEL, fd, 0);
        shutdown(fd, SHUT_RDWR);  // "that closes it"
      } else {
        close(fd);
      }
    }
  }
}

static void missing_close(void) { serve_by_epoll(listen_at(8000, 128), NO_CLOSE_AT_THE_END); }
static void forgotten(void) { serve_by_epoll(listen_at(8000, 128), DROPPED); }
static void not_reading(void) { serve_by_epoll(listen_at(8000, 128), READING_OFF); }
static void shut_down(void) { serve_by_epoll(listen_at(8000, 128), SHUT_DOWN_ONLY); }
static void healthy(void) { serve_by_epoll(listen_at(8000, 128), NO_FAULT); }

// Two threads that take two mutexes in two orders; the accepting thread fills a queue that nobody empties.
static pthread_mutex_t orders = PTHREAD_MUTEX_INITIALIZER, stock = PTHREAD_MUTEX_INITIALIZER;
static int pipe_of_work[2];

static void *book(void *first) {
  pthread_mutex_t *one = first ? &orders : &stock, *other = first ? &stock : &orders;
  for (;;) {
    int fd;
    char request[4096];
    if (read(pipe_of_work[0], &fd, sizeof fd) != sizeof fd) return NULL;
    if (read(fd, request, sizeof request) > 0) {
      pthread_mutex_lock(one);
      nap(300);
      pthread_mutex_lock(other);
      answer(fd);
      pthread_mutex_unlock(other);
      pthread_mutex_unlock(one);
    }
    close(fd);
  }
}

static void deadlock(void) {
  int listener = listen_at(8000, 128);
  if (pipe(pipe_of_work)) fail("pipe");
  start(book, NULL);
  start(book, &orders);
  for (;;) {
    int fd = accept_from(listener);
    if (write(pipe_of_work[1], &fd, sizeof fd) < 0) fail("write");
  }
}

// A listener for the public that waits for a lock file before each accept, and one for the administrator that works.
static void *administrate(void *listener) {
  serve_by_epoll(*(int *)listener, NO_FAULT);
  return NULL;
}

static void accept_backlog(void) {
  static int admin;
  int listener = listen_at(8000, 64);
  admin = listen_at(8001, 64);
  char path[4096];
  snprintf(path, sizeof path, "%s/accept.lock", getenv("SCRATCH"));
  int left_behind = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  flock(left_behind, LOCK_EX);  // a worker that was never started holds it
  for (int i = 0; i < 2; i++)
    if (fork() == 0) {
      int lock = open(path, O_RDWR);
      for (;;) {
        flock(lock, LOCK_EX);
        int fd = accept_from(listener);
        flock(lock, LOCK_UN);
        answer(fd);
        close(fd);
      }
    }
  start(administrate, &admin);
  pause();
}

// A server that forks a mailer for its first request; the mailer keeps copies of every connection open at that moment.
static void inherited(void) {
  int listener = listen_at(8000, 128), count = 0;
  struct pollfd polled[1024] = {{.fd = listener, .events = POLLIN}};
  int used = 1, mailer = 0;
  for (;;) {
    poll(polled, used, -1);
    if (polled[0].revents) {
      polled[used++] = (struct pollfd){.fd = accept_from(listener), .events = POLLIN};
      count++;
    }
    for (int i = used - 1; i > 0; i--) {
      char request[4096];
      if (!polled[i].revents) continue;
      if (read(polled[i].fd, request, sizeof request) > 0) {
        answer(polled[i].fd);
      } else {
        close(polled[i].fd);
        polled[i] = polled[--used];
      }
    }
    if (!mailer && count >= 30 && (mailer = fork()) == 0) {
      execlp("sleep", "sleep", "600", NULL);
      _exit(1);
    }
  }
}

// A tunnel by poll: when the client has ended it stops to look at it, and waits for the other side.
static void *tunnel(void *argument) {
  int client = (int)(long)argument, server = connect_to(9000);
  struct pollfd ends[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
  char data[4096];
  while (ends[1].fd >= 0) {
    poll(ends, 2, -1);
    for (int i = 0; i < 2; i++) {
      if (!ends[i].revents) continue;
      ssize_t got = read(ends[i].fd, data, sizeof data);
      if (got > 0 && write(i ? client : server, data, got) == got) continue;
      if (i == 0) shutdown(server, SHUT_WR);
      ends[i].fd = -1;
    }
  }
  close(client);
  close(server);
  return NULL;
}

static void proxy_leg(void) {
  int listener = listen_at(8000, 128);
  for (;;) start(tunnel, (void *)(long)accept_from(listener));
}

// Downloads for clients that end their side after the question, as HTTP/1.0 clients and `nc -N` do.
static void *send_slowly(void *argument) {
  int fd = (int)(long)argument;
  char block[1000], request[4096];
  memset(block, 'd', sizeof block);
  if (read(fd, request, sizeof request) > 0)
    while (send(fd, block, sizeof block, MSG_NOSIGNAL) > 0) nap(50);
  close(fd);
  return NULL;
}

static void half_close(void) {
  int listener = listen_at(8000, 256);
  for (;;) start(send_slowly, (void *)(long)accept_from(listener));
}

// A client library with a pool: idle connections are not looked at until they are used again.
static void stale_pool(void) {
  int pool[10];
  char answered[4096];
  static const char question[] = "GET /prices HTTP/1.1\r\nHost: prices\r\n\r\n";
  for (int i = 0; i < 10; i++) pool[i] = connect_to(9000);
  for (int i = 0; i < 10; i++)
    if (write(pool[i], question, sizeof question - 1) < 0 || read(pool[i], answered, sizeof answered) <= 0) fail("ask");
  for (;;) {
    for (int i = 0; i < 2; i++)  // the two that are in use
      if (write(pool[i], question, sizeof question - 1) < 0 || read(pool[i], answered, sizeof answered) <= 0) fail("ask");
    nap(100);
  }
}

// A client that gives up after a status it does not like, and forgets the descriptor.
static void give_up(void) {
  char answered[512];
  static const char question[] = "GET /orders HTTP/1.0\r\n\r\n";
  int heartbeat = connect_to(9001);
  for (int i = 0; i < 120; i++) {
    int fd = connect_to(9000);
    if (write(fd, question, sizeof question - 1) < 0) fail("ask");
    if (read(fd, answered, sizeof answered) > 0 && strncmp(answered, "HTTP/1.1 200", 12) == 0) close(fd);
    nap(10);
  }
  for (;;) {
    if (write(heartbeat, question, sizeof question - 1) < 0 || read(heartbeat, answered, sizeof answered) <= 0) fail("beat");
    nap(200);
  }
}

static const struct { const char *name; void (*run)(void); } CASES[] = {
  {"missing-close", missing_close}, {"forgotten", forgotten}, {"not-reading", not_reading}, {"shut-down", shut_down},
  {"healthy", healthy}, {"deadlock", deadlock}, {"accept-backlog", accept_backlog}, {"inherited", inherited},
  {"proxy-leg", proxy_leg}, {"half-close", half_close}, {"stale-pool", stale_pool}, {"give-up", give_up},
};

int main(int count, char **words) {
  signal(SIGPIPE, SIG_IGN);
  for (size_t i = 0; count > 1 && i < sizeof CASES / sizeof *CASES; i++)
    if (strcmp(CASES[i].name, words[1]) == 0) CASES[i].run();
  fprintf(stderr, "usage: server CASE\n");
  return 2;
}
