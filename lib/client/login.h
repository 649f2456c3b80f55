#pragma once

// How connections of an environment log in, and how those that are open do so again when
// there is a new secret.

#include "conn/conn.h"
#include "rstream/env.h"
#include "util/list.h"

struct rstream_env;

namespace rstream {

constexpr size_t max_secret_bytes = 7168;

struct login_settings {
  rstream_auth auth = RSTREAM_AUTH_PLAIN;
  char *username = nullptr;
  char *password = nullptr;
  rstream_credentials_cb on_credentials = nullptr;
  rstream_login_cb on_login = nullptr;
  void *user = nullptr;
  list updates;  // waiting for connections
  net_task update_task;
};

// Copies what the options say; username and password are those of the options or the URI.
[[nodiscard]] int login_init(rstream_env *env, const rstream_env_options &options,
                             const char *username, const char *password);
void login_release(rstream_env *env);

// See rstream_env_update_secret(). `secret` nullptr: callbacks are asked. RSTREAM_ENOMEM.
[[nodiscard]] int login_update(rstream_env *env, const char *secret,
                               rstream_secret_cb on_done, void *user);
// A connection has become ready, has ended, or came to the end of logging in again.
void login_progress(rstream_env *env);
void login_renewed(rstream_env *env, int status, const char *text);
// The environment closes: nobody waits any longer.
void login_cancel(rstream_env *env);

}  // namespace rstream
