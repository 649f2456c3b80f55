#include "tls/front.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
// 3.x has no such code any more.
#ifndef MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE
#define MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE 1
#endif

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace rstream::test {

namespace {

void require(int rc, const char *what) {
  if (rc >= 0) return;
  fprintf(stderr, "tls front: %s: %d\n", what, rc);
  abort();
}

const unsigned char *bytes_of(const std::string &text) {
  return reinterpret_cast<const unsigned char *>(text.c_str());
}

}  // namespace

struct tls_front::parts {
  tls_front *front = nullptr;
  uv_loop_t *loop = nullptr;
  uv_tcp_t listener;
  mbedtls_ssl_config config;
  mbedtls_entropy_context entropy;
  mbedtls_ctr_drbg_context random;
  mbedtls_x509_crt certificate, client_ca;
  mbedtls_pk_context key;
  std::vector<tls_front_session *> sessions;
};

// One client, and its connection to the target.
struct tls_front_session {
  tls_front::parts *parts = nullptr;
  mbedtls_ssl_context ssl;
  uv_tcp_t client, target;
  uv_connect_t connecting;
  uv_idle_t pacer;
  std::string in, out;               // ciphertext
  std::string to_target, to_client;  // text that waits for the other side
  bool established = false, connected = false, closed = false, out_ends = false;
  int open_handles = 3;
};

namespace {

int front_receive(void *arg, unsigned char *to, size_t size) {
  auto *s = static_cast<tls_front_session *>(arg);
  if (s->in.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
  size_t n = std::min(size, s->in.size());
  memcpy(to, s->in.data(), n);
  s->in.erase(0, n);
  return static_cast<int>(n);
}

int front_send(void *arg, const unsigned char *from, size_t size) {
  auto *s = static_cast<tls_front_session *>(arg);
  s->out.append(reinterpret_cast<const char *>(from), size);
  return static_cast<int>(size);
}

void on_session_handle_closed(uv_handle_t *handle) {
  auto *s = static_cast<tls_front_session *>(handle->data);
  if (--s->open_handles > 0) return;
  std::erase(s->parts->sessions, s);
  mbedtls_ssl_free(&s->ssl);
  delete s;
}

void end_session(tls_front_session *s) {
  if (s->closed) return;
  s->closed = true;
  uv_close(reinterpret_cast<uv_handle_t *>(&s->pacer), on_session_handle_closed);
  uv_close(reinterpret_cast<uv_handle_t *>(&s->client), on_session_handle_closed);
  uv_close(reinterpret_cast<uv_handle_t *>(&s->target), on_session_handle_closed);
}

struct write_request {
  uv_write_t uv;
  std::string bytes;
};

void write_to(uv_tcp_t *tcp, std::string bytes) {
  auto *w = new write_request{{}, std::move(bytes)};
  uv_buf_t buffer = uv_buf_init(w->bytes.data(), static_cast<unsigned>(w->bytes.size()));
  uv_write(&w->uv, reinterpret_cast<uv_stream_t *>(tcp), &buffer, 1,
           [](uv_write_t *uv, int) { delete reinterpret_cast<write_request *>(uv); });
}

void on_pace(uv_idle_t *idle);

void flush_client(tls_front_session *s) {
  if (s->closed || s->out.empty()) return;
  size_t piece = s->parts->front->piece;
  if (piece) {
    uv_idle_start(&s->pacer, on_pace);
    return;
  }
  write_to(&s->client, std::move(s->out));
  s->out.clear();
}

void finish_when_sent(tls_front_session *s) {
  if (s->out.empty() && s->out_ends) end_session(s);
}

void on_pace(uv_idle_t *idle) {
  auto *s = static_cast<tls_front_session *>(idle->data);
  size_t n = std::min(s->parts->front->piece, s->out.size());
  if (n) {
    write_to(&s->client, s->out.substr(0, n));
    s->parts->front->pieces_sent++;
    s->out.erase(0, n);
  }
  if (!s->out.empty()) return;
  uv_idle_stop(idle);
  finish_when_sent(s);
}

// False when the session is over.
bool encrypt_waiting(tls_front_session *s) {
  while (s->established && !s->to_client.empty()) {
    int n = mbedtls_ssl_write(&s->ssl, bytes_of(s->to_client), s->to_client.size());
    if (n <= 0) {
      end_session(s);
      return false;
    }
    s->to_client.erase(0, static_cast<size_t>(n));
  }
  return true;
}

bool shake(tls_front_session *s) {
  int rc = mbedtls_ssl_handshake(&s->ssl);
  if (rc == MBEDTLS_ERR_SSL_WANT_READ) return false;
  if (rc != 0) {
    // mbedTLS 2.28 just goes; other servers tell why.
    static constexpr char handshake_failure[] = {0x15, 3, 3, 0, 2, 2, 40};
    if (rc == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE && s->out.empty())
      s->out.assign(handshake_failure, sizeof handshake_failure);
    s->out_ends = true;  // after the alert
    return false;
  }
  s->established = true;
  s->parts->front->handshakes++;
  s->parts->front->last_version = mbedtls_ssl_get_version(&s->ssl);
  return true;
}

bool decrypt(tls_front_session *s) {
  unsigned char text[16384];
  int n = mbedtls_ssl_read(&s->ssl, text, sizeof text);
  if (n == MBEDTLS_ERR_SSL_WANT_READ) return false;
  if (n <= 0) {
    if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) s->parts->front->ends_announced++;
    end_session(s);
    return false;
  }
  s->parts->front->records_received++;
  s->to_target.append(reinterpret_cast<char *>(text), static_cast<size_t>(n));
  return true;
}

void pump(tls_front_session *s) {
  while (!s->closed && !s->out_ends && (s->established ? decrypt(s) : shake(s))) {
  }
  if (s->closed || !encrypt_waiting(s)) return;
  if (s->connected && !s->to_target.empty()) {
    write_to(&s->target, std::move(s->to_target));
    s->to_target.clear();
  }
  bool had_output = !s->out.empty();
  flush_client(s);
  if (s->out_ends && !had_output) end_session(s);
  if (s->out_ends && had_output && !s->parts->front->piece && !s->closed) {
    // uv_close() would drop what uv_write() has not sent.
    auto *shutdown = new uv_shutdown_t;
    shutdown->data = s;
    uv_shutdown(shutdown, reinterpret_cast<uv_stream_t *>(&s->client),
                [](uv_shutdown_t *request, int) {
                  end_session(static_cast<tls_front_session *>(request->data));
                  delete request;
                });
  }
}

void allocate(uv_handle_t *, size_t, uv_buf_t *buffer) {
  static char space[1 << 16];
  *buffer = uv_buf_init(space, sizeof space);
}

void on_client_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer) {
  auto *s = static_cast<tls_front_session *>(stream->data);
  if (n < 0) {
    end_session(s);
    return;
  }
  if (s->parts->front->silent || s->out_ends) return;
  s->in.append(buffer->base, static_cast<size_t>(n));
  pump(s);
}

void on_target_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer) {
  auto *s = static_cast<tls_front_session *>(stream->data);
  if (n < 0) {
    if (s->closed) return;
    uv_read_stop(stream);
    if (!s->established) return end_session(s);
    mbedtls_ssl_close_notify(&s->ssl);  // and the client ends it
    pump(s);
    return;
  }
  s->to_client.append(buffer->base, static_cast<size_t>(n));
  pump(s);
}

void on_target_connected(uv_connect_t *request, int status) {
  auto *s = static_cast<tls_front_session *>(request->data);
  if (s->closed) return;
  if (status < 0) return end_session(s);
  s->connected = true;
  uv_read_start(reinterpret_cast<uv_stream_t *>(&s->target), allocate, on_target_bytes);
  pump(s);
}

void on_connection(uv_stream_t *listener, int status) {
  auto *parts = static_cast<tls_front::parts *>(listener->data);
  require(status, "accept");
  auto *s = new tls_front_session;
  s->parts = parts;
  parts->sessions.push_back(s);
  parts->front->accepted++;
  mbedtls_ssl_init(&s->ssl);
  require(mbedtls_ssl_setup(&s->ssl, &parts->config), "setup");
  mbedtls_ssl_set_bio(&s->ssl, s, front_send, front_receive, nullptr);
  uv_tcp_init(parts->loop, &s->client);
  uv_tcp_init(parts->loop, &s->target);
  uv_idle_init(parts->loop, &s->pacer);
  s->client.data = s->target.data = s->pacer.data = s->connecting.data = s;
  require(uv_accept(listener, reinterpret_cast<uv_stream_t *>(&s->client)), "accept");
  uv_tcp_nodelay(&s->client, 1);
  uv_read_start(reinterpret_cast<uv_stream_t *>(&s->client), allocate, on_client_bytes);
  sockaddr_in address;
  uv_ip4_addr("127.0.0.1", parts->front->target, &address);
  uv_tcp_connect(&s->connecting, &s->target, reinterpret_cast<sockaddr *>(&address),
                 on_target_connected);
}

int on_server_name(void *arg, mbedtls_ssl_context *, const unsigned char *name,
                   size_t size) {
  static_cast<tls_front::parts *>(arg)->front->last_name.assign(
      reinterpret_cast<const char *>(name), size);
  return 0;
}

void set_versions(mbedtls_ssl_config &config, const tls_front_options &o) {
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
  auto number = [](int version) {
    return version == 13 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2;
  };
  if (o.min_version) mbedtls_ssl_conf_min_tls_version(&config, number(o.min_version));
  if (o.max_version) mbedtls_ssl_conf_max_tls_version(&config, number(o.max_version));
#else
  (void)config;
  (void)o;
#endif
}

void set_credentials(tls_front::parts &p, const tls_front_options &o) {
  const std::string &key = o.server.key, &certificate = o.server.certificate;
  require(mbedtls_x509_crt_parse(&p.certificate, bytes_of(certificate),
                                 certificate.size() + 1),
          "certificate");
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  require(mbedtls_pk_parse_key(&p.key, bytes_of(key), key.size() + 1, nullptr, 0,
                               mbedtls_ctr_drbg_random, &p.random),
          "key");
#else
  require(mbedtls_pk_parse_key(&p.key, bytes_of(key), key.size() + 1, nullptr, 0), "key");
#endif
  require(mbedtls_ssl_conf_own_cert(&p.config, &p.certificate, &p.key), "own");
  if (o.client_ca.empty()) return;
  require(
      mbedtls_x509_crt_parse(&p.client_ca, bytes_of(o.client_ca), o.client_ca.size() + 1),
      "client CA");
  mbedtls_ssl_conf_ca_chain(&p.config, &p.client_ca, nullptr);
  mbedtls_ssl_conf_authmode(&p.config, o.client_certificate_required
                                           ? MBEDTLS_SSL_VERIFY_REQUIRED
                                           : MBEDTLS_SSL_VERIFY_OPTIONAL);
}

}  // namespace

tls_front::tls_front() = default;
tls_front::~tls_front() = default;

void tls_front::open(uv_loop_t *loop, const tls_front_options &o) {
  p = std::make_unique<parts>();
  p->front = this;
  p->loop = loop;
  mbedtls_ssl_config_init(&p->config);
  mbedtls_entropy_init(&p->entropy);
  mbedtls_ctr_drbg_init(&p->random);
  mbedtls_x509_crt_init(&p->certificate);
  mbedtls_x509_crt_init(&p->client_ca);
  mbedtls_pk_init(&p->key);
  require(
      mbedtls_ctr_drbg_seed(&p->random, mbedtls_entropy_func, &p->entropy, nullptr, 0),
      "seed");
  require(mbedtls_ssl_config_defaults(&p->config, MBEDTLS_SSL_IS_SERVER,
                                      MBEDTLS_SSL_TRANSPORT_STREAM,
                                      MBEDTLS_SSL_PRESET_DEFAULT),
          "defaults");
  mbedtls_ssl_conf_rng(&p->config, mbedtls_ctr_drbg_random, &p->random);
  mbedtls_ssl_conf_sni(&p->config, on_server_name, p.get());
  set_versions(p->config, o);
  set_credentials(*p, o);
  uv_tcp_init(loop, &p->listener);
  p->listener.data = p.get();
  sockaddr_in address;
  uv_ip4_addr("127.0.0.1", 0, &address);
  require(uv_tcp_bind(&p->listener, reinterpret_cast<sockaddr *>(&address), 0), "bind");
  int size = sizeof address;
  uv_tcp_getsockname(&p->listener, reinterpret_cast<sockaddr *>(&address), &size);
  port = ntohs(address.sin_port);
  require(uv_listen(reinterpret_cast<uv_stream_t *>(&p->listener), 64, on_connection),
          "listen");
}

void tls_front::pause(bool paused) {
  for (tls_front_session *s : p->sessions) {
    auto *stream = reinterpret_cast<uv_stream_t *>(&s->client);
    if (s->closed) continue;
    if (paused) {
      uv_read_stop(stream);
    } else {
      uv_read_start(stream, allocate, on_client_bytes);
    }
  }
}

void tls_front::reset_all() {
  for (tls_front_session *s : std::vector<tls_front_session *>(p->sessions)) {
    if (!s->closed) uv_tcp_close_reset(&s->client, on_session_handle_closed);
    if (s->closed) continue;
    s->closed = true;
    uv_close(reinterpret_cast<uv_handle_t *>(&s->pacer), on_session_handle_closed);
    uv_close(reinterpret_cast<uv_handle_t *>(&s->target), on_session_handle_closed);
  }
}

void tls_front::close() {
  if (!p) return;
  uv_close(reinterpret_cast<uv_handle_t *>(&p->listener), nullptr);
  for (tls_front_session *s : std::vector<tls_front_session *>(p->sessions))
    end_session(s);
  while (!p->sessions.empty()) uv_run(p->loop, UV_RUN_ONCE);
  uv_run(p->loop, UV_RUN_NOWAIT);
  mbedtls_ssl_config_free(&p->config);
  mbedtls_pk_free(&p->key);
  mbedtls_x509_crt_free(&p->certificate);
  mbedtls_x509_crt_free(&p->client_ca);
  mbedtls_ctr_drbg_free(&p->random);
  mbedtls_entropy_free(&p->entropy);
  p.reset();
}

bool tls_front_has_1_3() {
#ifdef MBEDTLS_SSL_PROTO_TLS1_3
  return true;
#else
  return false;
#endif
}

}  // namespace rstream::test
