/* Logs in with a certificate instead of a password.
 *
 *   mutual_tls uri ca_file certificate_file key_file [key_password]
 *
 * The one idea: both sides show a certificate. With the mechanism EXTERNAL the broker
 * takes the user from the client's; it needs the plugin rabbitmq_auth_mechanism_ssl for
 * that. */
#include <rstream/rstream.h>
#include <stdio.h>

static int logged_in = 0;

static void on_exists(rstream_env *env, int status, int exists, void *user) {
  (void)exists; /* whatever the answer: it is one for us */
  (void)user;
  logged_in = status == 0;
  if (status != 0)
    fprintf(stderr, "mutual_tls: %s: %s\n", rstream_error_name(status),
            rstream_error_text(status));
  rstream_env_close(env, NULL, NULL);
}

int main(int argc, char **argv) {
  rstream_env *env;
  rstream_env_options options;
  rstream_tls_options tls;
  char error[256] = "";

  if (argc < 5) {
    fprintf(stderr,
            "usage: mutual_tls uri ca_file certificate_file key_file [key_password]\n");
    return 2;
  }
  rstream_tls_options_init(&tls);
  tls.ca_file = argv[2];
  tls.certificate_file = argv[3];
  tls.key_file = argv[4];
  tls.key_password = argc > 5 ? argv[5] : NULL;

  rstream_env_options_init(&options);
  options.uri = argv[1];
  options.tls = &tls;
  options.auth = RSTREAM_AUTH_EXTERNAL;
  options.error_text = error;
  options.error_text_size = sizeof error;
  if (rstream_env_create(&env, NULL, &options) != 0) {
    fprintf(stderr, "mutual_tls: %s\n", error);
    return 1;
  }
  if (rstream_stream_exists(env, "anything", on_exists, NULL) != 0)
    rstream_env_close(env, NULL, NULL);
  while (rstream_env_run(env, -1) == 0) {
  }
  if (logged_in) printf("logged in with the certificate\n");
  return logged_in ? 0 : 1;
}
