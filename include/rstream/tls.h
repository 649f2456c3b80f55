/* TLS: what an environment trusts, and how it shows who it is.
 *
 * With a URI rabbitmq-stream+tls://, or with rstream_env_options.tls set, every
 * connection of the environment uses TLS; nothing ever falls back to plain text. Without
 * any options the broker needs a certificate that the certificate authorities of the
 * system have signed, for the very host name that is connected to.
 *
 * Each environment has a configuration of its own; nothing is global. mbedTLS (2.28
 * or 3.x) takes its memory from malloc, because it has no allocator but a global one:
 * about 40 KiB for each connection, and what the certificate authorities take, which for
 * the system's bundle is about 1 MiB. What rstream adds, about 70 KiB for each
 * connection, comes from the environment's allocator. */
#ifndef RSTREAM_TLS_H
#define RSTREAM_TLS_H

#include <stddef.h>
#include <stdint.h>

#include "rstream/version.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rstream_tls_version {
  RSTREAM_TLS_DEFAULT = 0, /* as minimum TLS 1.2, as maximum the newest there is */
  RSTREAM_TLS_1_2 = 12,
  RSTREAM_TLS_1_3 = 13 /* needs mbedTLS 3.x */
} rstream_tls_version;

/* What can be wrong with a certificate: a set of bits. */
typedef enum rstream_tls_problem {
  RSTREAM_TLS_EXPIRED = 1,
  RSTREAM_TLS_NOT_YET_VALID = 2,
  RSTREAM_TLS_WRONG_NAME = 4, /* it is for another host */
  RSTREAM_TLS_UNTRUSTED = 8,  /* no certificate authority that is trusted signed it */
  RSTREAM_TLS_WEAK = 16,      /* signed with a hash, key or curve that is too weak */
  RSTREAM_TLS_OTHER = 32
} rstream_tls_problem;

/* One certificate of the chain a broker has shown. Everything is borrowed until the
 * callback returns. */
typedef struct rstream_tls_certificate {
  size_t struct_size;
  const void *der; /* the certificate itself, in DER */
  size_t der_size;
  const char *subject;     /* "CN=localhost" */
  const char *issuer;      /* likewise */
  const char *server_name; /* what the broker's own certificate must be for */
  uint32_t depth;          /* 0: the broker's own; 1: of who signed it; and so on */
  uint32_t problems;       /* found so far, rstream_tls_problem */
} rstream_tls_certificate;

/* Looks at a certificate before the broker is trusted; called for each of the chain, the
 * broker's own last. Returns the problems that are to count: certificate->problems for no
 * change, 0 to accept it in spite of them, more bits to refuse it. Comes on the loop's
 * thread while a connection is being made. */
typedef uint32_t (*rstream_tls_verify_cb)(const rstream_tls_certificate *certificate,
                                          void *user);

/* Set with rstream_tls_options_init(), then change what differs. 0 or NULL means the
 * default. Everything is copied, files are read, by rstream_env_create(). Where a file
 * and bytes are both possible, only one of them may be given. Bytes are PEM or DER, and
 * need no NUL at their end. */
typedef struct rstream_tls_options {
  size_t struct_size; /* set by rstream_tls_options_init() */

  /* Certificate authorities that are trusted, one or many. Default: the system's bundle,
   * /etc/ssl/certs/ca-certificates.crt, or where other distributions keep it. Instead of
   * that bundle, not besides it. */
  const char *ca_file; /* PEM or DER */
  const void *ca;
  size_t ca_size;

  /* The client's certificate, with those between it and its authority behind it, and its
   * private key: for brokers that ask for one, and for the mechanism EXTERNAL. Both or
   * none. */
  const char *certificate_file; /* PEM or DER */
  const void *certificate;
  size_t certificate_size;
  const char *key_file; /* PEM or DER */
  const void *key;
  size_t key_size;
  /* For an encrypted key. mbedTLS before 3.6 reads PKCS#8 encrypted with DES-EDE3 and
   * PBES2, and the traditional PEM encryptions; not the AES that OpenSSL 3 uses for
   * PKCS#8 by default. */
  const char *key_password;

  /* The name that brokers' certificates are checked against, and that they are told
   * (SNI), instead of the host that is connected to. At most 255 bytes. The addresses of
   * IP are checked against the certificate's own list of addresses, and are not told. */
  const char *server_name;

  rstream_tls_version min_version; /* default TLS 1.2, the oldest there is */
  rstream_tls_version max_version; /* default: the newest that mbedTLS has */

  rstream_tls_verify_cb on_verify; /* default: problems are refused */
  void *user;                      /* passed to on_verify */

  /* 1: THE BROKER'S CERTIFICATE IS NOT CHECKED AT ALL: whoever answers is trusted with
   * the password. For experiments only. on_verify is not called then, and authorities are
   * not read. */
  uint8_t insecure;
} rstream_tls_options;

/* Sets every member to its default and struct_size to the caller's own sizeof. Thread:
 * any. Since 0.1.0. */
#define rstream_tls_options_init(o) rstream_tls_options_init_sized((o), sizeof *(o))
RSTREAM_EXPORT void rstream_tls_options_init_sized(rstream_tls_options *options,
                                                   size_t size);

#ifdef __cplusplus
}
#endif
#endif
