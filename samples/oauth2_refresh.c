/* Keeps connections alive beyond the life of their token.
 *
 *   oauth2_refresh uri token [renewals]
 *
 * The one idea: rstream_env_update_secret() before the token expires. Connections that
 * are open log in again without a break, those that come later use the new token.
 * fetch_token() stands for the request to an authorization server; for a broker without
 * OAuth 2, the token is the password. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>

struct session {
  const char *token;
  int renewals_left;
  int failed;
};

/* An OAuth 2 token is sent as the password; the user's name plays no part then. Tokens
 * live for minutes or hours: this would look at the token's time of expiry, and renew it
 * well before. */
static const char *fetch_token(const struct session *self) { return self->token; }

static void renew(rstream_env *env, struct session *self);

static void on_renewed(rstream_env *env, int status, const char *text, void *user) {
  struct session *self = user;
  if (status != 0) {
    fprintf(stderr, "oauth2_refresh: %s\n", text);
    self->failed = 1;
    rstream_env_close(env, NULL, NULL);
    return;
  }
  printf("all connections have the new token\n");
  renew(env, self);
}

static void renew(rstream_env *env, struct session *self) {
  if (self->renewals_left-- == 0) {
    rstream_env_close(env, NULL, NULL);
    return;
  }
  if (rstream_env_update_secret(env, fetch_token(self), on_renewed, self) == 0) return;
  fprintf(stderr, "oauth2_refresh: %s\n", rstream_env_error_text(env));
  self->failed = 1;
  rstream_env_close(env, NULL, NULL);
}

/* There is a connection now: from here on a timer of the application would call renew().
 */
static void on_connected(rstream_env *env, int status, int exists, void *user) {
  struct session *self = user;
  (void)exists;
  if (status == 0) {
    renew(env, self);
    return;
  }
  fprintf(stderr, "oauth2_refresh: %s\n", rstream_error_text(status));
  self->failed = 1;
  rstream_env_close(env, NULL, NULL);
}

int main(int argc, char **argv) {
  struct session self = {0};
  rstream_env *env;
  rstream_env_options options;
  char error[256] = "";

  if (argc < 3) {
    fprintf(stderr, "usage: oauth2_refresh uri token [renewals]\n");
    return 2;
  }
  self.token = argv[2];
  self.renewals_left = argc > 3 ? atoi(argv[3]) : 1;
  rstream_env_options_init(&options);
  options.uri = argv[1];
  options.password = fetch_token(&self);
  options.error_text = error;
  options.error_text_size = sizeof error;
  if (rstream_env_create(&env, NULL, &options) != 0) {
    fprintf(stderr, "oauth2_refresh: %s\n", error);
    return 1;
  }
  if (rstream_stream_exists(env, "anything", on_connected, &self) != 0)
    rstream_env_close(env, NULL, NULL);
  while (rstream_env_run(env, -1) == 0) {
  }
  return self.failed;
}
