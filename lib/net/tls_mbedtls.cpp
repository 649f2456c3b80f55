// TLS as mbedTLS does it, 2.28 and 3.x: the only file that includes it.
#include <arpa/inet.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <unistd.h>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

#include "net/net_errors.h"
#include "net/tls_session.h"
#include "rstream/error.h"

// Members that 3.x wants to keep to itself; 2.28 does not know the macro.
#ifndef MBEDTLS_PRIVATE
#define MBEDTLS_PRIVATE(member) member
#endif

namespace rstream {

struct tls_config {
  memory *mem = nullptr;
  mbedtls_ssl_config ssl;
  mbedtls_entropy_context entropy;
  mbedtls_ctr_drbg_context random;
  mbedtls_x509_crt authorities;
  mbedtls_x509_crt certificate;
  mbedtls_pk_context key;
  bool has_certificate = false;
  int *suites = nullptr;
  char *server_name = nullptr;
  rstream_tls_verify_cb on_verify = nullptr;
  void *user = nullptr;
  tls_scratch scratch;
};

struct tls_session {
  tls_config *config = nullptr;
  mbedtls_ssl_context ssl;
  tls_io io{};
  void *owner = nullptr;
  bool starved = false;   // receive() had nothing
  uint32_t problems = 0;  // flags of mbedTLS, of the whole chain
  char name[256] = {};    // that the certificate has to be for
  uint8_t address[16];    // the same, if it is one of IP
  size_t address_bytes = 0;
  char words[544] = {};
  const char *trouble = nullptr;
};

namespace {

// ---- words

// mbedTLS adds a low-level code to a high-level one.
bool is_no_memory(int code) {
  int low = -code & 0x7f, high = -code & ~0x7f;
  constexpr int highs[] = {MBEDTLS_ERR_SSL_ALLOC_FAILED, MBEDTLS_ERR_X509_ALLOC_FAILED,
                           MBEDTLS_ERR_PK_ALLOC_FAILED,  MBEDTLS_ERR_ECP_ALLOC_FAILED,
                           MBEDTLS_ERR_MD_ALLOC_FAILED,  MBEDTLS_ERR_CIPHER_ALLOC_FAILED,
                           MBEDTLS_ERR_PEM_ALLOC_FAILED};
  for (int each : highs) {
    if (high == -each) return true;
  }
  return low == -MBEDTLS_ERR_MPI_ALLOC_FAILED || low == -MBEDTLS_ERR_ASN1_ALLOC_FAILED;
}

struct error_words {
  char text[160];
  explicit error_words(int code) { mbedtls_strerror(code, text, sizeof text); }
};

[[gnu::format(printf, 3, 4)]] int refuse(std::span<char> why, int code,
                                         const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (!why.empty()) vsnprintf(why.data(), why.size(), format, arguments);
  va_end(arguments);
  return code;
}

// What could not be done to what, with mbedTLS's reason.
int refuse_mbedtls(std::span<char> why, const char *what, const char *which, int code) {
  if (is_no_memory(code)) return refuse(why, RSTREAM_ENOMEM, "out of memory");
  return refuse(why, RSTREAM_EINVAL, "%s%s%s: %s", what, which ? " " : "",
                which ? which : "", error_words(code).text);
}

// ---- the configuration: bytes and files

// mbedTLS tells PEM from DER by a NUL at the end, which bytes need not have.
struct terminated {
  memory &mem;
  uint8_t *copy;
  size_t size;
  terminated(memory &from, const void *bytes, size_t count)
      : mem(from),
        copy(static_cast<uint8_t *>(memory_allocate(from, count + 1))),
        size(count) {
    if (!copy) return;
    memcpy(copy, bytes, count);
    copy[count] = 0;
    if (memchr(copy, 0, count)) return;  // binary, or has its NUL
    size++;
  }
  ~terminated() {
    if (copy) mbedtls_platform_zeroize(copy, size);
    memory_release(mem, copy);
  }
  terminated(const terminated &) = delete;
  terminated &operator=(const terminated &) = delete;
};

int random_bytes(void *config, unsigned char *to, size_t size) {
  return mbedtls_ctr_drbg_random(&static_cast<tls_config *>(config)->random, to, size);
}

// Of which kind bytes are is part of what went wrong, so "the authorities' file ca.pem".
int check_source(const char *what, const char *file, const void *bytes, size_t size,
                 std::span<char> why) {
  if (file && bytes)
    return refuse(why, RSTREAM_EINVAL, "%s: a file and bytes are given, one is enough",
                  what);
  if (!bytes != (size == 0))
    return refuse(why, RSTREAM_EINVAL, "%s: bytes and their size do not go together",
                  what);
  return 0;
}

int load_certificates(tls_config *c, mbedtls_x509_crt &to, const char *what,
                      const char *file, const void *bytes, size_t size,
                      std::span<char> why) {
  int rc = check_source(what, file, bytes, size, why);
  if (rc < 0) return rc;
  if (file) {
    rc = mbedtls_x509_crt_parse_file(&to, file);
  } else {
    terminated copy(*c->mem, bytes, size);
    if (!copy.copy) return refuse(why, RSTREAM_ENOMEM, "out of memory");
    rc = mbedtls_x509_crt_parse(&to, copy.copy, copy.size);
  }
  if (rc > 0)
    return refuse(why, RSTREAM_EINVAL, "%s%s%s: %d of the certificates can't be read",
                  what, file ? " " : "", file ? file : "", rc);
  return rc < 0 ? refuse_mbedtls(why, what, file, rc) : 0;
}

// Where distributions keep the bundle of authorities.
constexpr const char *system_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",  // Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",    // Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",              // SUSE
    "/etc/ssl/cert.pem",                   // BSD, macOS
};

// Certificates that mbedTLS can't read are none it could verify with.
int load_system_authorities(tls_config *c, std::span<char> why) {
  for (const char *bundle : system_bundles) {
    if (access(bundle, R_OK) != 0) continue;
    int rc = mbedtls_x509_crt_parse_file(&c->authorities, bundle);
    return rc < 0 ? refuse_mbedtls(why, "certificate authorities", bundle, rc) : 0;
  }
  return refuse(
      why, RSTREAM_EINVAL,
      "this system has no bundle of certificate authorities (on Debian: install "
      "ca-certificates); ca_file can name one");
}

int load_authorities(tls_config *c, const rstream_tls_options &o, std::span<char> why) {
  if (o.insecure) return 0;
  if (!o.ca_file && !o.ca && !o.ca_size) return load_system_authorities(c, why);
  return load_certificates(c, c->authorities, "certificate authorities", o.ca_file, o.ca,
                           o.ca_size, why);
}

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
int parse_key(tls_config *c, const uint8_t *bytes, size_t size, const char *password) {
  return mbedtls_pk_parse_key(&c->key, bytes, size,
                              reinterpret_cast<const uint8_t *>(password),
                              password ? strlen(password) : 0, random_bytes, c);
}
int parse_key_file(tls_config *c, const char *file, const char *password) {
  return mbedtls_pk_parse_keyfile(&c->key, file, password, random_bytes, c);
}
int check_pair(tls_config *c) {
  return mbedtls_pk_check_pair(&c->certificate.pk, &c->key, random_bytes, c);
}
#else
int parse_key(tls_config *c, const uint8_t *bytes, size_t size, const char *password) {
  return mbedtls_pk_parse_key(&c->key, bytes, size,
                              reinterpret_cast<const uint8_t *>(password),
                              password ? strlen(password) : 0);
}
int parse_key_file(tls_config *c, const char *file, const char *password) {
  return mbedtls_pk_parse_keyfile(&c->key, file, password);
}
int check_pair(tls_config *c) {
  return mbedtls_pk_check_pair(&c->certificate.pk, &c->key);
}
#endif

int load_key(tls_config *c, const rstream_tls_options &o, std::span<char> why) {
  int rc = check_source("private key", o.key_file, o.key, o.key_size, why);
  if (rc < 0) return rc;
  if (o.key_file) {
    rc = parse_key_file(c, o.key_file, o.key_password);
  } else {
    terminated copy(*c->mem, o.key, o.key_size);
    if (!copy.copy) return refuse(why, RSTREAM_ENOMEM, "out of memory");
    rc = parse_key(c, copy.copy, copy.size, o.key_password);
  }
  return rc < 0 ? refuse_mbedtls(why, "private key", o.key_file, rc) : 0;
}

int load_own(tls_config *c, const rstream_tls_options &o, std::span<char> why) {
  bool certificate = o.certificate_file || o.certificate || o.certificate_size;
  bool key = o.key_file || o.key || o.key_size;
  if (certificate != key)
    return refuse(why, RSTREAM_EINVAL, "a client certificate and its key go together");
  if (!certificate) return 0;
  int rc = load_certificates(c, c->certificate, "client certificate", o.certificate_file,
                             o.certificate, o.certificate_size, why);
  if (rc == 0) rc = load_key(c, o, why);
  if (rc < 0) return rc;
  if (check_pair(c) != 0)
    return refuse(why, RSTREAM_EINVAL,
                  "the private key is not that of the client certificate");
  rc = mbedtls_ssl_conf_own_cert(&c->ssl, &c->certificate, &c->key);
  if (rc < 0) return refuse_mbedtls(why, "client certificate", nullptr, rc);
  c->has_certificate = true;
  return 0;
}

// ---- the configuration: how to talk

#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
constexpr rstream_tls_version newest_version = RSTREAM_TLS_1_3;
#else
constexpr rstream_tls_version newest_version = RSTREAM_TLS_1_2;
#endif

int set_versions(tls_config *c, const rstream_tls_options &o, std::span<char> why) {
  int low = o.min_version ? o.min_version : RSTREAM_TLS_1_2;
  int high = o.max_version ? o.max_version : newest_version;
  if (low > newest_version || high > newest_version)
    return refuse(why, RSTREAM_ENOTSUP, "this mbedTLS (%s) has no TLS 1.3",
                  MBEDTLS_VERSION_STRING);
  if (low > high)
    return refuse(why, RSTREAM_EINVAL,
                  "the minimum version of TLS is above the maximum version");
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
  auto number = [](int version) {
    return version == RSTREAM_TLS_1_3 ? MBEDTLS_SSL_VERSION_TLS1_3
                                      : MBEDTLS_SSL_VERSION_TLS1_2;
  };
  mbedtls_ssl_conf_min_tls_version(&c->ssl, number(low));
  mbedtls_ssl_conf_max_tls_version(&c->ssl, number(high));
#else
  mbedtls_ssl_conf_min_version(&c->ssl, MBEDTLS_SSL_MAJOR_VERSION_3,
                               MBEDTLS_SSL_MINOR_VERSION_3);
#endif
  return 0;
}

bool processor_has_aes() {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#else
  return false;
#endif
}

// Whether the suite is one that a processor with instructions for AES does fast.
bool is_fast(int suite) {
  const char *name = mbedtls_ssl_get_ciphersuite_name(suite);
  return strstr(name, "AES-128-GCM") || strstr(name, "AES-256-GCM");
}

// mbedTLS puts ChaCha20 first, which suits processors without instructions for AES. With
// them AES in Galois mode is several times as fast. Beyond that its order stays.
int set_suites(tls_config *c, std::span<char> why) {
  if (!processor_has_aes()) return 0;
  const int *all = mbedtls_ssl_list_ciphersuites();
  size_t count = 0;
  while (all[count]) count++;
  c->suites = static_cast<int *>(memory_allocate(*c->mem, (count + 1) * sizeof(int)));
  if (!c->suites) return refuse(why, RSTREAM_ENOMEM, "out of memory");
  int *to = c->suites;
  for (bool fast : {true, false}) {
    for (size_t i = 0; i < count; i++) {
      if (is_fast(all[i]) == fast) *to++ = all[i];
    }
  }
  *to = 0;
  mbedtls_ssl_conf_ciphersuites(&c->ssl, c->suites);
  return 0;
}

int set_up(tls_config *c, const rstream_tls_options &o, std::span<char> why) {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  if (psa_crypto_init() != PSA_SUCCESS)
    return refuse(why, RSTREAM_ENOMEM, "mbedTLS's cryptography does not start");
#endif
  static constexpr char person[] = "rstream";
  int rc =
      mbedtls_ctr_drbg_seed(&c->random, mbedtls_entropy_func, &c->entropy,
                            reinterpret_cast<const uint8_t *>(person), sizeof person - 1);
  if (rc < 0) return refuse_mbedtls(why, "random numbers", nullptr, rc);
  rc = mbedtls_ssl_config_defaults(&c->ssl, MBEDTLS_SSL_IS_CLIENT,
                                   MBEDTLS_SSL_TRANSPORT_STREAM,
                                   MBEDTLS_SSL_PRESET_DEFAULT);
  if (rc < 0) return refuse_mbedtls(why, "TLS", nullptr, rc);
  mbedtls_ssl_conf_rng(&c->ssl, random_bytes, c);
  mbedtls_ssl_conf_authmode(
      &c->ssl, o.insecure ? MBEDTLS_SSL_VERIFY_NONE : MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_ca_chain(&c->ssl, &c->authorities, nullptr);
  // Nothing here resumes sessions.
  mbedtls_ssl_conf_session_tickets(&c->ssl, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
  rc = set_versions(c, o, why);
  if (rc == 0) rc = set_suites(c, why);
  if (rc == 0) rc = load_authorities(c, o, why);
  if (rc == 0) rc = load_own(c, o, why);
  if (rc < 0) return rc;
  c->on_verify = o.on_verify;
  c->user = o.user;
  if (!o.server_name) return 0;
  c->server_name = memory_copy_text(*c->mem, o.server_name);
  return c->server_name ? 0 : refuse(why, RSTREAM_ENOMEM, "out of memory");
}

// ---- looking at certificates

constexpr struct {
  uint32_t mbedtls;
  uint32_t ours;
} problem_map[] = {
    {MBEDTLS_X509_BADCERT_EXPIRED, RSTREAM_TLS_EXPIRED},
    {MBEDTLS_X509_BADCERT_FUTURE, RSTREAM_TLS_NOT_YET_VALID},
    {MBEDTLS_X509_BADCERT_CN_MISMATCH, RSTREAM_TLS_WRONG_NAME},
    {MBEDTLS_X509_BADCERT_NOT_TRUSTED, RSTREAM_TLS_UNTRUSTED},
    {MBEDTLS_X509_BADCERT_BAD_MD, RSTREAM_TLS_WEAK},
    {MBEDTLS_X509_BADCERT_BAD_PK, RSTREAM_TLS_WEAK},
    {MBEDTLS_X509_BADCERT_BAD_KEY, RSTREAM_TLS_WEAK},
    {MBEDTLS_X509_BADCERT_OTHER, RSTREAM_TLS_OTHER},
};

uint32_t problems_of(uint32_t flags) {
  uint32_t problems = 0;
  for (const auto &pair : problem_map) {
    if (!(flags & pair.mbedtls)) continue;
    problems |= pair.ours;
    flags &= ~pair.mbedtls;
  }
  return flags ? problems | RSTREAM_TLS_OTHER : problems;
}

// The flags that say what the application says; those that say it already stay.
uint32_t flags_of(uint32_t problems, uint32_t before) {
  uint32_t flags = 0;
  for (const auto &pair : problem_map) {
    if (!(problems & pair.ours)) continue;
    flags |= before & pair.mbedtls;
    if (!(problems_of(flags) & pair.ours) && !(problems_of(before) & pair.ours))
      flags |= pair.mbedtls;
  }
  if (problems & RSTREAM_TLS_OTHER) flags |= before & ~0xffffu;
  return problems && !flags ? MBEDTLS_X509_BADCERT_OTHER : flags;
}

// mbedTLS before 3.5 knows host names only. An address is an entry of the certificate's
// alternative names with the context-specific tag 7.
bool lists_address(const mbedtls_x509_crt *certificate, const tls_session *s) {
  constexpr int address_tag = 0x87;
  for (const auto *n = &certificate->subject_alt_names; n; n = n->next) {
    if (n->buf.tag == address_tag && n->buf.len == s->address_bytes &&
        memcmp(n->buf.p, s->address, s->address_bytes) == 0)
      return true;
  }
  return false;
}

uint32_t ask_application(const tls_session *s, const mbedtls_x509_crt *certificate,
                         int depth, uint32_t flags) {
  char subject[256] = "", issuer[256] = "";
  mbedtls_x509_dn_gets(subject, sizeof subject, &certificate->subject);
  mbedtls_x509_dn_gets(issuer, sizeof issuer, &certificate->issuer);
  rstream_tls_certificate view{};
  view.struct_size = sizeof view;
  view.der = certificate->raw.p;
  view.der_size = certificate->raw.len;
  view.subject = subject;
  view.issuer = issuer;
  view.server_name = s->name;
  view.depth = static_cast<uint32_t>(depth);
  view.problems = problems_of(flags);
  return flags_of(s->config->on_verify(&view, s->config->user), flags);
}

int on_verify(void *arg, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
  auto *s = static_cast<tls_session *>(arg);
  if (depth == 0 && s->address_bytes && !lists_address(certificate, s))
    *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
  if (s->config->on_verify) *flags = ask_application(s, certificate, depth, *flags);
  s->problems |= *flags;
  return 0;
}

// ---- a session's faults

// Lines of mbedTLS, one for each problem, as one line.
void join_lines(char *text) {
  char *to = text;
  for (const char *from = text; *from; from++) {
    if (*from != '\n') {
      *to++ = *from;
    } else if (from[1]) {
      *to++ = ';';  // in place of the line's end; the next begins with a space
    }
  }
  *to = 0;
}

int refused_certificate(tls_session *s) {
  uint32_t flags = s->problems;
  uint32_t result = mbedtls_ssl_get_verify_result(&s->ssl);
  if (result != UINT32_MAX) flags |= result;
  char found[200] = "";
  mbedtls_x509_crt_verify_info(found, sizeof found, " ", flags);
  join_lines(found);
  snprintf(s->words, sizeof s->words, "the broker's certificate is refused for %s:%s",
           s->name, found[0] ? found : " X509 - Certificate verification failed");
  return RSTREAM_ECERT;
}

const char *alert_name(uint8_t alert) {
  switch (alert) {
  case MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE: return "unexpected_message";
  case MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE: return "handshake_failure";
  case MBEDTLS_SSL_ALERT_MSG_BAD_CERT: return "bad_certificate";
  case MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT: return "unsupported_certificate";
  case MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED: return "certificate_revoked";
  case MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED: return "certificate_expired";
  case MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN: return "certificate_unknown";
  case MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER: return "illegal_parameter";
  case MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA: return "unknown_ca";
  case MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED: return "access_denied";
  case MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION: return "protocol_version";
  case MBEDTLS_SSL_ALERT_MSG_INSUFFICIENT_SECURITY: return "insufficient_security";
  case MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR: return "internal_error";
  case MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME: return "unrecognized_name";
  case 116: return "certificate_required";  // 2.28 has no name for it
  default: return "alert";
  }
}

// Whether an alert is about the certificate that the client has shown, or has not. In TLS
// 1.2 a missing one is answered with handshake_failure, after the client had its say: by
// then versions and cipher suites are agreed.
bool is_about_us(const tls_session *s, uint8_t alert) {
  switch (alert) {
  case MBEDTLS_SSL_ALERT_MSG_BAD_CERT:
  case MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT:
  case MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED:
  case MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED:
  case MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN:
  case MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA:
  case MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED:
  case 116: return true;
  case MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE:
    return s->ssl.MBEDTLS_PRIVATE(state) > MBEDTLS_SSL_SERVER_HELLO_DONE;
  default: return false;
  }
}

int refused_by_peer(tls_session *s) {
  // The message is the alert: its level, and which it is.
  uint8_t alert = s->ssl.MBEDTLS_PRIVATE(in_msg)[1];
  bool about_us = is_about_us(s, alert);
  const char *hint = !about_us ? ""
                     : s->config->has_certificate
                         ? "; the client's certificate is refused"
                         : "; no client certificate was given";
  snprintf(s->words, sizeof s->words, "the broker ended TLS with %s (%u): %s%s",
           alert_name(alert), unsigned{alert},
           error_words(MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE).text, hint);
  return about_us ? RSTREAM_ECLIENTCERT : RSTREAM_ETLS;
}

int fault(tls_session *s, int code) {
  s->trouble = nullptr;
  if (is_no_memory(code)) return net_error_no_memory();
  s->trouble = s->words;
  switch (code) {
  case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED: return refused_certificate(s);
  case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: return refused_by_peer(s);
  default:
    snprintf(s->words, sizeof s->words, "TLS: %s", error_words(code).text);
    return RSTREAM_ETLS;
  }
}

// ---- mbedTLS's way to the transport

int receive(void *arg, unsigned char *to, size_t size) {
  auto *s = static_cast<tls_session *>(arg);
  size_t n = s->io.receive(s->owner, to, size);
  if (n) return static_cast<int>(n);
  s->starved = true;
  return MBEDTLS_ERR_SSL_WANT_READ;
}

int send(void *arg, const unsigned char *from, size_t size) {
  auto *s = static_cast<tls_session *>(arg);
  size_t n = s->io.send(s->owner, from, size);
  return n ? static_cast<int>(n) : MBEDTLS_ERR_SSL_WANT_WRITE;
}

// Results that mean "the same again": a session ticket in the middle of everything, which
// TLS 1.3 tells from reading and from writing, and hunger while there is input left.
bool again(const tls_session &s, int code) {
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
  if (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) return true;
#endif
  return code == MBEDTLS_ERR_SSL_WANT_READ && !s.starved;
}

int set_name(tls_session *s, const char *host) {
  snprintf(s->name, sizeof s->name, "%s", host);
  if (inet_pton(AF_INET, host, s->address) == 1) {
    s->address_bytes = 4;
  } else if (inet_pton(AF_INET6, host, s->address) == 1) {
    s->address_bytes = 16;
  }
  // Addresses are not told to servers, and are checked in on_verify().
  return mbedtls_ssl_set_hostname(&s->ssl, s->address_bytes ? nullptr : host);
}

}  // namespace

int tls_config_create(tls_config **out, memory &mem, const rstream_tls_options &options,
                      std::span<char> why) {
  *out = nullptr;
  auto *c = memory_new<tls_config>(mem);
  if (!c) return refuse(why, RSTREAM_ENOMEM, "out of memory");
  c->mem = &mem;
  mbedtls_ssl_config_init(&c->ssl);
  mbedtls_entropy_init(&c->entropy);
  mbedtls_ctr_drbg_init(&c->random);
  mbedtls_x509_crt_init(&c->authorities);
  mbedtls_x509_crt_init(&c->certificate);
  mbedtls_pk_init(&c->key);
  int rc = set_up(c, options, why);
  if (rc < 0) {
    tls_config_release(c);
    return rc;
  }
  *out = c;
  return 0;
}

void tls_config_release(tls_config *c) {
  if (!c) return;
  mbedtls_ssl_config_free(&c->ssl);
  mbedtls_pk_free(&c->key);
  mbedtls_x509_crt_free(&c->certificate);
  mbedtls_x509_crt_free(&c->authorities);
  mbedtls_ctr_drbg_free(&c->random);
  mbedtls_entropy_free(&c->entropy);
  memory_release(*c->mem, c->suites);
  memory_release(*c->mem, c->server_name);
  memory_delete(*c->mem, c);
}

tls_scratch &tls_scratch_of(tls_config &config) { return config.scratch; }

int tls_session_create(tls_session **out, tls_config &config, const char *host,
                       const tls_io &io, void *owner) {
  *out = nullptr;
  auto *s = memory_new<tls_session>(*config.mem);
  if (!s) return net_error_no_memory();
  s->config = &config;
  s->io = io;
  s->owner = owner;
  mbedtls_ssl_init(&s->ssl);
  int rc = mbedtls_ssl_setup(&s->ssl, &config.ssl);
  if (rc == 0) rc = set_name(s, config.server_name ? config.server_name : host);
  if (rc < 0) {
    tls_session_release(s);
    return net_error_no_memory();
  }
  mbedtls_ssl_set_verify(&s->ssl, on_verify, s);
  mbedtls_ssl_set_bio(&s->ssl, s, send, receive, nullptr);
  *out = s;
  return 0;
}

void tls_session_release(tls_session *s) {
  if (!s) return;
  mbedtls_ssl_free(&s->ssl);
  memory_delete(*s->config->mem, s);
}

ptrdiff_t tls_session_handshake(tls_session &s) {
  int rc;
  do {
    s.starved = false;
    rc = mbedtls_ssl_handshake(&s.ssl);
  } while (again(s, rc));
  if (rc == 0) return 1;
  return rc == MBEDTLS_ERR_SSL_WANT_READ ? tls_hungry : fault(&s, rc);
}

ptrdiff_t tls_session_read(tls_session &s, std::span<uint8_t> to) {
  int rc;
  do {
    s.starved = false;
    rc = mbedtls_ssl_read(&s.ssl, to.data(), to.size());
  } while (again(s, rc));
  if (rc > 0) return rc;
  if (rc == MBEDTLS_ERR_SSL_WANT_READ) return tls_hungry;
  s.trouble = nullptr;
  if (rc == 0 || rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return net_error_end();
  return fault(&s, rc);
}

ptrdiff_t tls_session_write(tls_session &s, std::span<const uint8_t> text) {
  int rc;
  do {
    s.starved = false;
    rc = mbedtls_ssl_write(&s.ssl, text.data(), text.size());
  } while (again(s, rc));
  return rc >= 0 ? rc : fault(&s, rc);
}

size_t tls_session_record_bytes(const tls_session &s, size_t text) {
  int more = mbedtls_ssl_get_record_expansion(&s.ssl);
  return text + static_cast<size_t>(more > 0 ? more : 256);
}

size_t tls_session_text_bytes(const tls_session &s) {
  int n = mbedtls_ssl_get_max_out_record_payload(&s.ssl);
  return n > 0 ? static_cast<size_t>(n) : 1024;
}

void tls_session_end(tls_session &s) {
  int rc = mbedtls_ssl_close_notify(&s.ssl);
  (void)rc;
}

const char *tls_session_trouble(const tls_session &s) { return s.trouble; }
void tls_session_set_trouble(tls_session &s, const char *text) { s.trouble = text; }

}  // namespace rstream
