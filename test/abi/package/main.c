#include <rstream/rstream.h>
#include <stdio.h>

/* Runs without a broker: opens and closes an environment. */
int main(void) {
  rstream_env *env = NULL;
  if (rstream_env_create(&env, NULL, NULL) != 0) return 1;
  if (rstream_env_close(env, NULL, NULL) != 0) return 1;
  while (rstream_env_run(env, -1) == 0) {
  }
  printf("rstream %s\n", rstream_version_text());
  return rstream_version_number() == RSTREAM_VERSION_NUMBER ? 0 : 1;
}
