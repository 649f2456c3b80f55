/* Logging in: which mechanism (SASL), and where names, passwords and tokens come from.
 *
 * By default an environment logs in with the mechanism PLAIN, and the user name and
 * password of its options. The callbacks below are for secrets that are not to lie in
 * memory, or that change: they are asked each time a connection logs in, on the loop's
 * thread, and have to answer at once. A secret that has to be fetched first is fetched
 * before, and told with rstream_env_update_secret(); a callback that has none at hand
 * returns RSTREAM_EAGAIN, and is asked again when the connection is tried again.
 *
 * No user name, password, token or answer of a mechanism ever gets into a log or an
 * error's text. */
#ifndef RSTREAM_AUTH_H
#define RSTREAM_AUTH_H

#include <stddef.h>
#include <stdint.h>

#include "rstream/version.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rstream_auth {
  RSTREAM_AUTH_PLAIN =
      0, /* user name and password, or an OAuth 2 token as the password */
  /* Who the client's TLS certificate says; the broker needs rabbitmq_auth_mechanism_ssl.
   */
  RSTREAM_AUTH_EXTERNAL = 1,
  /* Nobody; brokers from 4.0 on, which decide what anonymous clients may do. */
  RSTREAM_AUTH_ANONYMOUS = 2,
  RSTREAM_AUTH_CUSTOM = 3 /* auth_mechanism, answered by on_login */
} rstream_auth;

/* A user name and password to be filled in, for one login with PLAIN. */
typedef struct rstream_credentials {
  size_t struct_size;
  const char *host; /* the broker that asks; borrowed until the callback returns */
  uint16_t port;
  uint8_t
      renewal; /* 1: of a connection that is logged in, for rstream_env_update_secret() */
  /* NUL-terminated, in memory of the library that is wiped after use. The user name is
   * that of the options, to be kept or changed; a renewal can't change it. The password
   * is empty. */
  char *username;
  size_t username_capacity; /* with the NUL: 256 */
  char *password;
  size_t password_capacity; /* with the NUL: 7169 */
} rstream_credentials;

/* 0, or a negative code with which the login fails: RSTREAM_EAGAIN for "not now". */
typedef int (*rstream_credentials_cb)(rstream_credentials *credentials, void *user);

/* One step of a login with the application's own mechanism. */
typedef struct rstream_login {
  size_t struct_size;
  const char *host; /* the broker that asks; borrowed until the callback returns */
  uint16_t port;
  uint8_t renewal; /* as above */
  uint32_t step; /* 0: the first; each challenge of the broker is one more, at most 15 */
  const void *challenge; /* what the broker asks; empty in the first step; borrowed */
  size_t challenge_size;
  void *response; /* where the answer goes: memory of the library, wiped after use */
  size_t response_capacity; /* 7680 */
  size_t response_size;     /* to be set; 0 when there is nothing to say */
} rstream_login;

/* 0, or a negative code with which the login fails. */
typedef int (*rstream_login_cb)(rstream_login *login, void *user);

#ifdef __cplusplus
}
#endif
#endif
