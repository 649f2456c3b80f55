/* Removes the streams that trying the samples left behind: delete URI STREAM...
 * Those that end in "-super" are super streams. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <string.h>

static int waiting;
static int failed;

static void on_deleted(rstream_env *env, int status, const char *text, void *user) {
  (void)env;
  waiting--;
  if (status == 0 || status == RSTREAM_BROKER_STREAM_DOES_NOT_EXIST) return;
  fprintf(stderr, "delete %s: %s\n", (const char *)user, text);
  failed = 1;
}

static int ends_in_super(const char *name) {
  size_t size = strlen(name);
  return size > 6 && strcmp(name + size - 6, "-super") == 0;
}

int main(int argc, char **argv) {
  rstream_env *env = NULL;
  rstream_env_options options;
  int i;
  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL;
  if (rstream_env_create(&env, NULL, &options) != 0) return 1;
  for (i = 2; i < argc; i++) {
    int rc = ends_in_super(argv[i])
                 ? rstream_super_stream_delete(env, argv[i], on_deleted, argv[i])
                 : rstream_stream_delete(env, argv[i], on_deleted, argv[i]);
    if (rc == 0) waiting++;
  }
  while (waiting > 0 && rstream_env_run(env, -1) == 0) {
  }
  rstream_env_close(env, NULL, NULL);
  while (rstream_env_run(env, -1) == 0) {
  }
  return failed;
}
