// Places that do not do what who connects to them waits for.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

namespace rstream::test {

struct socket_place {
  sockaddr_in at = {};
  socket_place(const char *figures, uint16_t port) {
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    inet_pton(AF_INET, figures, &at.sin_addr);
  }
  const sockaddr *name() const { return reinterpret_cast<const sockaddr *>(&at); }
};

// Takes connections, and never says a word.
struct deaf_listener {
  int fd = -1;

  bool open(const char *figures, uint16_t port, int backlog = 16) {
    socket_place place(figures, port);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return bind(fd, place.name(), sizeof place.at) == 0 && listen(fd, backlog) == 0;
  }
  ~deaf_listener() {
    if (fd >= 0) ::close(fd);
  }
};

// Takes no connection and refuses none: its queue is full, so that whoever knocks is not
// answered.
struct black_hole {
  deaf_listener listener;
  std::vector<int> queued;

  bool open(const char *figures, uint16_t port) {
    if (!listener.open(figures, port, 0)) return false;
    socket_place place(figures, port);
    for (int i = 0; i < 8; i++) {
      queued.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      (void)connect(queued.back(), place.name(), sizeof place.at);
    }
    // The last one has had no answer.
    pollfd last = {queued.back(), POLLOUT, 0};
    return poll(&last, 1, 0) == 0;
  }
  ~black_hole() {
    for (int fd : queued) ::close(fd);
  }
};

}  // namespace rstream::test
