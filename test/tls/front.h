#pragma once

// A server that speaks TLS on 127.0.0.1 and hands the text on to a plain port there: in
// front of a scripted peer or of the in-memory broker, on the client's own loop.

#include <uv.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tls/certificates.h"

namespace rstream::test {

struct tls_front_options {
  credentials server = certificates().server;
  std::string client_ca{};  // PEM; asks clients for a certificate
  bool client_certificate_required = false;
  int min_version = 0;  // 12, 13; 0: any
  int max_version = 0;
};

struct tls_front_session;

struct tls_front {
  uint16_t port = 0;
  uint16_t target = 0;  // set it before the first client comes
  // What goes to clients is cut into pieces of so many bytes, one for each turn of the
  // loop. 0: not cut.
  size_t piece = 0;
  bool silent = false;  // takes connections and never says anything

  size_t accepted = 0;
  size_t handshakes = 0;       // that were finished
  size_t ends_announced = 0;   // close_notify came
  std::string last_name{};     // the server name (SNI) that the last client asked for
  std::string last_version{};  // "TLSv1.2"
  uint64_t pieces_sent = 0;
  uint64_t records_received = 0;

  struct parts;
  std::unique_ptr<parts> p;

  tls_front();
  ~tls_front();
  void open(uv_loop_t *loop, const tls_front_options &options = {});
  // Reads nothing from clients, or goes on.
  void pause(bool paused);
  // Ends all connections at once.
  void reset_all();
  // The loop has to be run after it.
  void close();
};

// Whether this mbedTLS has TLS 1.3.
bool tls_front_has_1_3();

}  // namespace rstream::test
