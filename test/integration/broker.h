#pragma once

// What the tests need to know about the broker, and how they disturb it.

#include <string>

namespace rstream::test {

// From RSTREAM_BROKER_URI, the first of several; nullptr when there is none.
const char *broker_uri();
std::string broker_host();
int broker_port();

// Whether RSTREAM_BROKER_DIR and RSTREAM_BROKER_TOOL allow to disturb it.
bool broker_can_be_disturbed();

// The folder with the certificates of a broker that has TLS, and its URI; else empty.
std::string broker_tls_dir();
std::string broker_tls_uri();

// Evaluates an Erlang expression on the broker; its value as text. Takes some 20 ms.
std::string broker_eval(const std::string &expression);

// What its log says so far.
std::string broker_log();

// Erlang: the processes of the stream connections of environments named `name`; what a
// connection is for follows the name.
std::string connections_named(const std::string &name);

// Erlang: generators that leave in I each publisher, or consumer, id on those
// connections; P is the connection's process. One that has just ended is left out.
enum class role { producers, consumers };
std::string ids_on_connections(const std::string &name, role which);

// Kills those of these connections that have a publisher, or a consumer; how many these
// were.
int kill_connections(const std::string &name, role which);

// The broker does not run while one of these lives.
struct broker_stopped {
  broker_stopped();
  ~broker_stopped();
};

}  // namespace rstream::test

#define NEEDS_DISTURBANCE()                                                        \
  if (!rstream::test::broker_can_be_disturbed()) {                                 \
    GTEST_SKIP() << "RSTREAM_BROKER_DIR and RSTREAM_BROKER_TOOL are not set: the " \
                    "broker can't be disturbed";                                   \
  }                                                                                \
  static_assert(true)
